"""The verdict of a passdb or userdb script, as it travels back from the worker.

The worker makes it (workers/auth), the dispatcher reads it (dispatcher/auth.py). It is the one value of an outcome
whose invocation had `host = "auth"`. `repr` leaves the fields out: they may hold passwords.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from dispatcher.protocol.errors import CodecError

#: `Invocation.host` of an auth entry point.
AUTH_HOST: Final = "auth"


class AuthVerdict(StrEnum):
    """What the script said, in Dovecot's terms."""

    OK = "ok"
    PASSWORD_MISMATCH = "password_mismatch"  # noqa: S105 - no password
    USER_UNKNOWN = "user_unknown"
    USER_DISABLED = "user_disabled"
    PASS_EXPIRED = "pass_expired"  # noqa: S105 - no password
    #: The next passdb decides; the fields so far are kept.
    NEXT = "next"
    #: No verdict: the script failed, or said so.
    INTERNAL_FAILURE = "internal_failure"


class AuthResult(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A verdict with what belongs to it. What most results do not have does not travel."""

    verdict: AuthVerdict
    #: The user name after all renames; empty where nobody asked for a user.
    user: bytes = b""
    #: passdb fields for the client after this script: those of the request, and what the script set. A failed login
    #: keeps those of the request only, as in Dovecot; that holds for all fields here.
    fields: dict[bytes, bytes] = {}
    #: userdb fields after this script; a passdb script prefetches them as `userdb_NAME`.
    userdb_fields: dict[bytes, bytes] = {}
    #: Why, for the log and never for the client.
    reason: str = ""
    #: Stored password with its scheme (`{SCHEME}…`), for credentials lookups; empty if there is none.
    password: bytes = b""
    #: passdb fields that are not for the client (`allow_nets`, `userdb_…`); the next script reads them with the others.
    hidden_fields: dict[bytes, bytes] = {}
    #: Whose password it was, where the field `login_user` let them in as `user`; else empty.
    master_user: bytes = b""
    #: A page of the names that auth_userdb_iterate listed; empty for the other entry points.
    users: tuple[bytes, ...] = ()
    #: What the next page's `options.first_user` must be; 0 if this was the last one.
    next_user: int = 0

    def __repr__(self) -> str:
        """Name verdict and user without the fields, which may hold passwords."""
        return f"AuthResult({self.verdict.value}, user={self.user!r}, {len(self.fields)} fields)"

    @property
    def is_ok(self) -> bool:
        """Did the script let the user in, or find it?"""
        return self.verdict is AuthVerdict.OK

    def changed(self, **members: Any) -> AuthResult:  # noqa: ANN401 - members of any type
        """Return the result with other members: what a chain of scripts came to."""
        return msgspec.structs.replace(self, **members)

    def to_value(self) -> AuthResult:
        """Make the value that travels in an outcome: itself, with a reason that is text everywhere."""
        if self.reason.isascii():
            return self
        # A script chose its bytes; those that are no UTF-8 travel as escapes, as in the text of an error.
        reason = self.reason.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return self.changed(reason=reason)

    @classmethod
    def from_value(cls, value: Any) -> AuthResult:  # noqa: ANN401 - whatever arrived
        """Read what `to_value` made.

        Raises:
            CodecError: it is something else.
        """
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as exc:
            raise CodecError("an auth result that does not decode") from exc
