"""auth_userdb_lookup: from what a script returned to a verdict.

The auth task drives it.

Mirrors: userdb-lua.c and db-lua.c of Dovecot 2.3.19 and 2.4.1 to 2.4.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from workers.auth.entry_point import CODE_INTERNAL_FAILURE, CODE_OK, LookupBase, Returned, shape_error, words
from workers.auth.userdb_fields import set_userdb_field

if TYPE_CHECKING:
    from workers.auth.password_check import Check
    from workers.lua.runtime import Step


class UserdbLookup(LookupBase):
    """auth_userdb_lookup(request)."""

    function = "auth_userdb_lookup"
    argument_count = 1

    def start(self) -> Step:
        """Call it."""
        return self.call.state.call_export(b"auth_start", (self.function.encode(), self.call.request))

    def conclude(self, step: Step) -> AuthResult:
        """Judge a DONE step."""
        returned = Returned.of(step)
        error = shape_error(f"{self.function}(req)", returned, is_legacy=self.call.is_legacy)
        if error:
            return self.fail(error)
        if returned.code != CODE_OK:
            return self._rejected(returned)
        self._take_fields(returned)
        if self.fields.is_tempfail:
            return self.result(AuthVerdict.INTERNAL_FAILURE, "the userdb fields ask for a temporary failure")
        return self.result(AuthVerdict.OK)

    def conclude_check(self, _check: Check) -> AuthResult:
        """Never called: there is no password to check."""
        return self.fail("internal error: unexpected password check")

    def fail(self, text: str) -> AuthResult:
        """End without a verdict."""
        self.say("error", f"userdb-lua: {text}")
        return self.result(AuthVerdict.INTERNAL_FAILURE, text)

    def _take_fields(self, returned: Returned) -> None:
        is_string = returned.kind in {"string", "number"}
        for key, value in words(returned.text or b"") if is_string else returned.pairs:
            # entry_points.lua lets through no other keys of a table.
            if not is_string or self.is_key(key):
                set_userdb_field(self.fields, key, value)

    def _rejected(self, returned: Returned) -> AuthResult:
        has_text = returned.text is not None and returned.kind != "table"
        reason = (returned.text or b"").decode("utf-8", "surrogateescape") if has_text else "userdb failed"
        if returned.code == CODE_INTERNAL_FAILURE:
            return self.fail(reason)
        return self.result(AuthVerdict.USER_UNKNOWN, reason)
