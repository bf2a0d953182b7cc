"""One call of an auth function: how it is started, and what its end makes of the request.

The auth task drives it; passdb, userdb, iterate and cache_key are the kinds. What Dovecot would log gathers in `log`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from workers.auth.request_fields import RequestFields
from workers.lua.runtime import StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.auth.password_check import Check, ReturnedPassword
    from workers.lua.runtime import LuaState, Step

#: The code of success, of passdbs and userdbs alike.
CODE_OK: Final = 1
CODE_INTERNAL_FAILURE: Final = -1

#: In keys.
_NO_KEY: Final = re.compile(rb"[\t\n\r]")

#: Elements of a DONE step whose second value has no text.
_SHORT_STEP: Final = 3


class AuthCall(NamedTuple):
    """What the dispatcher asked for."""

    request: Mapping[bytes, Any]
    #: What the client typed; None for a credentials lookup.
    password: bytes | None
    dialect: str
    #: Cap of the results.
    max_result_bytes: int
    #: Where the script runs.
    state: LuaState

    def __repr__(self) -> str:
        """Show nothing: request and password are secret."""
        return "AuthCall(***)"

    @property
    def is_legacy(self) -> bool:
        """Do the rules of 2.3 hold?"""
        return self.dialect == "2.3"

    def option(self, name: bytes) -> Any:  # noqa: ANN401 - whatever the dispatcher sent
        """A member of the request's `options`; None if it is not there."""
        options = self.request.get(b"options")
        return options.get(name) if isinstance(options, dict) else None

    def expand(self, user: bytes, template: bytes) -> tuple[bool, bytes]:
        """Expand a template that stands in a field; by then the user may have been renamed."""
        request = {**self.request, b"user": user}
        step = self.state.call_export(b"auth_expand", (request, template))
        if step[0] != StepKind.DONE:
            return False, step[1]
        _, is_expanded, text = step
        return is_expanded, text


class Returned(NamedTuple):
    """What a function returned, in the shape that entry_points.lua gives it."""

    #: None if the first value is no number.
    code: int | None
    #: Type of the second value; of the first one if that is no number.
    kind: str
    #: The second value if it is a string or a number; the packed pairs of a table.
    text: bytes | None = None

    @classmethod
    def of(cls, step: Step) -> Returned:
        """Read a DONE step."""
        return cls(step[1], step[2].decode(), step[3] if len(step) > _SHORT_STEP else None)

    @property
    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The fields of a table."""
        parts = iter(self.text.split(b"\0") if self.text else ())
        return list(zip(parts, parts, strict=True))


class EntryPoint(Protocol):
    """A kind of call."""

    #: The Lua function that is called.
    function: str
    #: What Dovecot counts, for the text of an error.
    argument_count: int
    result_count: int
    log: list[tuple[str, bytes]]

    def start(self) -> Step:
        """Make the first step."""

    def conclude(self, step: Step) -> AuthResult | ReturnedPassword:
        """Judge a DONE step; a password that is still to be checked goes to `conclude_check` afterwards."""

    def conclude_check(self, check: Check) -> AuthResult:
        """Judge the check of the password that `conclude` returned."""

    def fail(self, text: str) -> AuthResult:
        """Judge a call that raised or could not be made; `text` says how."""


class LookupBase:
    """What passdb and userdb calls share: the request, the result, the shape rules."""

    result_count = 2

    def __init__(self, call: AuthCall) -> None:
        self.call = call
        self.fields = RequestFields(call.request, is_legacy=call.is_legacy, expand=call.expand)
        self.log = self.fields.log

    def result(self, verdict: AuthVerdict, reason: str = "") -> AuthResult:
        """Put the result together from what the request has become."""
        fields = self.fields
        return AuthResult(
            verdict,
            fields.user,
            fields.fields,
            fields.userdb_fields,
            reason,
            fields.password,
            fields.hidden_fields,
            fields.master_user,
        )

    def is_key(self, key: bytes) -> bool:
        """Is it a key that a field may have? Warns if not."""
        if not key:
            self.say("warning", "db-lua: Field key cannot be empty - ignoring")
        elif _NO_KEY.search(key):
            self.say("warning", "db-lua: Field key cannot contain <CR>, <LF> or <TAB> - ignoring")
        else:
            return True
        return False

    def say(self, level: str, text: str) -> None:
        """Log a line."""
        self.log.append((level, text.encode("utf-8", "surrogateescape")))


def shape_error(shown: str, returned: Returned, *, is_legacy: bool) -> str:
    """What is wrong with the shape of a result, empty if nothing is.

    Args:
        shown: how Dovecot writes the function: `auth_passdb_lookup(req)`.
        returned: the result.
        is_legacy: do the rules of 2.3 hold?

    **Mirrors** auth_lua_call_lookup, auth_lua_call_password_verify (2.3.19, 2.4.1).
    """
    kind = returned.kind
    if returned.code is None:
        return f"db-lua: {shown} invalid return value (expected number got {kind})"
    if is_legacy:
        if kind not in {"string", "number", "table"}:
            return f"db-lua: {shown} invalid return value (expected string or table, got {kind})"
    elif returned.code == CODE_OK:
        if kind not in {"table", "nil"}:
            return f"db-lua: {shown} invalid return value (expected nil or table, got {kind})"
    elif kind not in {"string", "number", "nil"}:
        return f"db-lua: {shown} invalid error return value (expected nil or string, got {kind})"
    return ""


def words(text: bytes) -> list[tuple[bytes, bytes]]:
    """Read the string form of fields: `key=value` or `key`, separated by spaces. Until 2.4.0."""
    parts = (word.partition(b"=") for word in text.split(b" ") if word)
    return [(key, value) for key, _, value in parts]
