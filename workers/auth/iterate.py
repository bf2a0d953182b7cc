"""auth_userdb_iterate: a page of the names that a script lists.

The auth task drives it. A listing may be larger than an outcome can be, so each call answers with the names from
`options.first_user` (1 for the first) on, as many as fit; the script is called anew for each page.

Mirrors: auth_lua_call_userdb_iterate_init of Dovecot 2.3.19 and 2.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict

if TYPE_CHECKING:
    from workers.auth.entry_point import AuthCall
    from workers.auth.password_check import Check
    from workers.lua.runtime import Step

#: What a name takes in the message beside its bytes, at most.
_NAME_OVERHEAD_BYTES: Final = 5


class UserdbIterate:
    """auth_userdb_iterate()."""

    function = "auth_userdb_iterate"
    argument_count = 0
    result_count = 1

    def __init__(self, call: AuthCall) -> None:
        self._call = call
        self.log: list[tuple[str, bytes]] = []

    def start(self) -> Step:
        """Call it."""
        first = self._call.option(b"first_user")
        is_number = isinstance(first, int) and not isinstance(first, bool) and first > 0
        limit_bytes = self._call.max_result_bytes
        args = (self.function.encode(), first if is_number else 1, limit_bytes, _NAME_OVERHEAD_BYTES)
        return self._call.state.call_export(b"auth_iterate", args)

    def conclude(self, step: Step) -> AuthResult:
        """Judge a DONE step."""
        _, count, next_user, *names = step
        if count is None:
            return self._failed(f"db-lua: {next_user.decode()}")
        users = tuple(names[0].split(b"\0")) if count else ()
        return AuthResult(AuthVerdict.OK, users=users, next_user=next_user)

    def conclude_check(self, _check: Check) -> AuthResult:
        """Never called: there is no password to check."""
        return self._failed("internal error: unexpected password check")

    def fail(self, text: str) -> AuthResult:
        """End without a list."""
        return self._failed(f"db-lua: {self.function} failed: {text}")

    def _failed(self, text: str) -> AuthResult:
        self.log.append(("error", text.encode("utf-8", "surrogateescape")))
        return AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=text)
