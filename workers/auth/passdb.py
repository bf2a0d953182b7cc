"""auth_password_verify and auth_passdb_lookup: from what a script returned to a verdict.

The auth task drives them.

Mirrors: passdb-lua.c and db-lua.c of Dovecot 2.3.19 and 2.4.1 to 2.4.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from workers.auth.entry_point import (
    CODE_INTERNAL_FAILURE,
    CODE_OK,
    AuthCall,
    LookupBase,
    Returned,
    shape_error,
    words,
)
from workers.auth.passdb_fields import set_passdb_field, set_password
from workers.auth.password_check import ReturnedPassword
from workers.passwords.check import decoding_error, split_scheme
from workers.passwords.policy import Dialect, Origin, default_scheme

if TYPE_CHECKING:
    from workers.auth.password_check import Check
    from workers.lua.runtime import Step

#: PASSDB_RESULT_NEXT.
_CODE_NEXT: Final = -6

#: Integer that a script returned -> verdict. Any other, SCHEME_NOT_AVAILABLE (-2) among them, fails like a mismatch.
_VERDICTS: Final = {
    CODE_OK: AuthVerdict.OK,
    0: AuthVerdict.PASSWORD_MISMATCH,
    CODE_INTERNAL_FAILURE: AuthVerdict.INTERNAL_FAILURE,
    -3: AuthVerdict.USER_UNKNOWN,
    -4: AuthVerdict.USER_DISABLED,
    -5: AuthVerdict.PASS_EXPIRED,
    _CODE_NEXT: AuthVerdict.NEXT,
}

_MISMATCH: Final = "Password mismatch"
_MISSING: Final = "No password returned (and no nopassword)"
_TWO_ANSWERS: Final = "nopassword given and password is not empty"

#: What becomes of the password when its scheme has no say: 2.3's string form.
_STRING_FORM_SCHEME: Final = b"PLAIN"


class _Passdb(LookupBase):
    """What both functions share."""

    #: How Dovecot writes the function where the result has no good shape.
    shown: str
    #: What stands before the text of an internal failure.
    log_prefix: str
    function: str

    def conclude(self, step: Step) -> AuthResult | ReturnedPassword:
        """Judge a DONE step."""
        returned = Returned.of(step)
        error = shape_error(self.shown, returned, is_legacy=self.call.is_legacy)
        if error or returned.code is None:
            return self.fail(error)
        verdict = _VERDICTS.get(returned.code, AuthVerdict.PASSWORD_MISMATCH)
        has_fields = returned.code == CODE_OK or (
            returned.code == _CODE_NEXT and self.call.is_legacy and returned.kind != "table"
        )
        if has_fields:
            self.take_fields(returned)
            return self.accepted() if verdict is AuthVerdict.OK else self.ended(verdict)
        return self._rejected(verdict, returned)

    def take_fields(self, returned: Returned) -> None:
        """Put the fields into the request."""
        is_string = returned.kind in {"string", "number"}
        for key, value in words(returned.text or b"") if is_string else returned.pairs:
            # entry_points.lua lets through no other keys of a table.
            if not is_string or self.is_key(key):
                self.take_field(key, value, is_string=is_string)

    def take_field(self, key: bytes, value: bytes, *, is_string: bool) -> None:  # noqa: ARG002 - a lookup tells them apart
        """Put one field into the request."""
        set_passdb_field(self.fields, key, value)

    def accepted(self) -> AuthResult | ReturnedPassword:
        """Go on after the code of success."""
        return self.ended(AuthVerdict.OK)

    def ended(self, verdict: AuthVerdict, reason: str = "") -> AuthResult:
        """End; fields may still turn a success into something else."""
        fields = self.fields
        if verdict is AuthVerdict.OK and fields.refusal:
            verdict, reason = AuthVerdict.PASSWORD_MISMATCH, fields.refusal
        elif verdict is AuthVerdict.OK and fields.has(b"noauthenticate"):
            verdict = AuthVerdict.NEXT
        if verdict is AuthVerdict.OK:
            fields.log_in_as_another()
        elif verdict is not AuthVerdict.NEXT:
            fields.roll_back()
        if fields.is_tempfail:
            # The prefetched fields are of no use; whoever reads them is told so.
            fields.userdb_fields[b"tempfail"] = b"yes"
        return self.result(verdict, reason)

    def fail(self, text: str) -> AuthResult:
        """End without a verdict."""
        self.say("error", self.log_prefix + text)
        return self.ended(AuthVerdict.INTERNAL_FAILURE, text)

    def mismatch(self, reason: str) -> AuthResult:
        """End with a wrong password."""
        self.say("info", reason)
        return self.ended(AuthVerdict.PASSWORD_MISMATCH, reason)

    def wrong_code(self, reason: str) -> AuthResult:
        """End after PASSWORD_MISMATCH, which the script said itself."""
        return self.ended(AuthVerdict.PASSWORD_MISMATCH, reason)

    def _rejected(self, verdict: AuthVerdict, returned: Returned) -> AuthResult:
        if returned.text is not None and returned.kind != "table":
            reason = returned.text.decode("utf-8", "surrogateescape")
        else:
            # 2.3 spells it that way.
            reason = "passb failed" if self.call.is_legacy else "passdb failed"
        if verdict is AuthVerdict.INTERNAL_FAILURE:
            return self.fail(reason)
        if returned.code == 0:
            return self.wrong_code(reason)
        result = self.ended(verdict, reason)
        if verdict is AuthVerdict.PASS_EXPIRED:
            return result.changed(fields={**result.fields, b"reason": b"Password expired"})
        return result


class PasswordVerify(_Passdb):
    """auth_password_verify(request, password): the script checks the password itself."""

    function = "auth_password_verify"
    shown = "auth_password_verify"
    log_prefix = "passdb-lua: "
    argument_count = 2

    def start(self) -> Step:
        """Call it."""
        call = self.call
        return call.state.call_export(b"auth_start", (b"auth_password_verify", call.request, call.password, True))

    def conclude_check(self, _check: Check) -> AuthResult:
        """Never called: there is no password to check."""
        return self.fail("internal error: unexpected password check")

    def wrong_code(self, reason: str) -> AuthResult:
        """End with the line that Dovecot logs for every wrong password."""
        self.say("info", _MISMATCH)
        return self.ended(AuthVerdict.PASSWORD_MISMATCH, reason)


class PassdbLookup(_Passdb):
    """auth_passdb_lookup(request): the script returns a password that is checked here, or the credentials."""

    function = "auth_passdb_lookup"
    shown = "auth_passdb_lookup(req)"
    log_prefix = "db-lua: "
    argument_count = 1

    def __init__(self, call: AuthCall) -> None:
        super().__init__(call)
        self._returned: bytes | None = None
        scheme = call.option(b"default_password_scheme")
        self._scheme = scheme if isinstance(scheme, bytes) else b""

    def start(self) -> Step:
        """Call it."""
        call = self.call
        return call.state.call_export(b"auth_start", (b"auth_passdb_lookup", call.request, call.password))

    def take_field(self, key: bytes, value: bytes, *, is_string: bool) -> None:
        """Put one field into the request; the password is held back."""
        if key != b"password":
            super().take_field(key, value, is_string=is_string)
            return
        self._returned = value
        if is_string:
            self._scheme = _STRING_FORM_SCHEME

    def accepted(self) -> AuthResult | ReturnedPassword:
        """Check the password, unless no check is wanted or there is none."""
        has_password = bool(self._returned and split_scheme(self._returned).data)
        is_skipped = bool(self.call.request.get(b"skip_password_check"))
        if self.fields.has(b"nopassword"):
            return self.mismatch(_TWO_ANSWERS) if has_password else self.ended(AuthVerdict.OK)
        if not has_password or self._returned is None:
            return self.ended(AuthVerdict.OK) if is_skipped else self.mismatch(_MISSING)
        self._keep_password(self._returned)
        if self.call.password is None or self.call.option(b"is_credentials_lookup"):
            return self._credentials(self._returned)
        if is_skipped:
            return self.ended(AuthVerdict.OK)
        return ReturnedPassword(
            stored=self._returned,
            plain=self.call.password,
            username=self._original_user(),
            dialect=self.call.dialect.encode(),
            is_weak_allowed=self.call.option(b"allow_weak_schemes") is True,
            scheme=self._scheme,
        )

    def conclude_check(self, check: Check) -> AuthResult:
        """Judge the check of the password."""
        if check.is_match:
            return self.ended(AuthVerdict.OK)
        reason = check.text.decode("utf-8", "surrogateescape")
        self.say("info" if reason == _MISMATCH else "error", reason)
        if check.is_temporary:
            return self.ended(AuthVerdict.INTERNAL_FAILURE, reason)
        return self.ended(AuthVerdict.PASSWORD_MISMATCH, reason)

    def _credentials(self, stored: bytes) -> AuthResult:
        """End a lookup of credentials, which nobody can use if they do not decode."""
        error = decoding_error(stored, dialect=Dialect(self.call.dialect), default_scheme=self._default_scheme())
        if not error:
            return self.ended(AuthVerdict.OK)
        reason = error.decode("utf-8", "surrogateescape")
        self.say("error", reason)
        return self.ended(AuthVerdict.PASSWORD_MISMATCH, reason)

    def _keep_password(self, stored: bytes) -> None:
        split = split_scheme(stored)
        if split.scheme is None:
            set_password(self.fields, stored, self._default_scheme().encode())
        else:
            set_password(self.fields, b"{%b}%b" % (split.scheme, split.data), b"")

    def _default_scheme(self) -> str:
        configured = self._scheme.decode("ascii", "replace")
        return configured or default_scheme(Dialect(self.call.dialect), Origin.PASSDB_LOOKUP)

    def _original_user(self) -> bytes:
        user = self.call.request.get(b"original_user") or self.call.request.get(b"user")
        return user if isinstance(user, bytes) else b""
