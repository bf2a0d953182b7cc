"""An auth invocation as a task of the engine: calls the entry point, has a returned password checked, answers.

Its outcome is `ok` with one value, an AuthResult, whatever the script said or did: only a missed deadline, a full
memory or an order that nobody could carry out end otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from dispatcher.protocol.outcome import OutcomeKind
from workers.auth.cache_key import LEGACY_CACHE_KEY, CacheKey, key_result
from workers.auth.entry_point import AuthCall, EntryPoint
from workers.auth.iterate import UserdbIterate
from workers.auth.log_prefix import log_prefix
from workers.auth.passdb import PassdbLookup, PasswordVerify
from workers.auth.password_check import RETURNED_PASSWORD, Check, check_returned
from workers.auth.userdb import UserdbLookup
from workers.lua.script_life import call_failure, no_function
from workers.tasks import CallTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.instances import Instance
    from workers.lua.runtime import Step

PASSDB_CACHE_KEY: Final = "auth_passdb_get_cache_key"
USERDB_CACHE_KEY: Final = "auth_userdb_get_cache_key"

#: `Invocation.function` -> entry point. Which of the two passdb functions a login calls, the task finds out.
_ENTRY_POINTS: Final[dict[str, Callable[[AuthCall], EntryPoint]]] = {
    "auth_password_verify": PasswordVerify,
    "auth_passdb_lookup": PassdbLookup,
    "auth_userdb_lookup": UserdbLookup,
    "auth_userdb_iterate": UserdbIterate,
    PASSDB_CACHE_KEY: lambda call: CacheKey(call, PASSDB_CACHE_KEY),
    USERDB_CACHE_KEY: lambda call: CacheKey(call, USERDB_CACHE_KEY),
}


class AuthTask(CallTask):
    """One auth invocation inside a ready instance."""

    __slots__ = ("_call", "_entry")

    _call: AuthCall
    _entry: EntryPoint

    def start(self) -> None:
        """Call the entry point."""
        call = _auth_call(self.invocation.args, self.instance, self.scheduler.max_result_bytes)
        make = _ENTRY_POINTS.get(self.invocation.function)
        if call is None or make is None:
            self.end(OutcomeKind.REJECTED, _refusal(self.invocation.function, is_known=make is not None))
            return
        if make is PasswordVerify and (call.password is None or call.option(b"is_credentials_lookup")):
            # Credentials are always looked up.
            make = PassdbLookup
        self._call = call
        self._begin(make(call))

    def go_on(self, coroutine: object, values: tuple[Any, ...]) -> None:
        """Resume the coroutine; without one it was the password check that ended."""
        if coroutine is None:
            self._conclude(self._entry.conclude_check(_check(values)))
        else:
            self.after(self.instance.state.call_export(b"auth_resume", (coroutine, *values)))

    def expire_inside(self, coroutine: object) -> None:
        """End a call that has begun."""
        if coroutine is None:
            self.end(OutcomeKind.DEADLINE_EXCEEDED, "the deadline passed while the password was checked")
        else:
            super().expire_inside(coroutine)

    def done(self, step: Step) -> None:
        """Judge what the function returned."""
        # What may be large comes last.
        limit_bytes = self._call.max_result_bytes
        if step[-1].__class__ is bytes and len(step[-1]) > limit_bytes:
            self.raised(f"results are larger than {limit_bytes} bytes")
            return
        judged = self._entry.conclude(step)
        if isinstance(judged, AuthResult):
            self._conclude(judged)
        elif judged.is_cheap:
            self._conclude(self._entry.conclude_check(check_returned(*judged)))
        else:
            self.scheduler.run_operation(self, RETURNED_PASSWORD, judged)

    def no_function(self) -> None:
        """Fall back from auth_password_verify to auth_passdb_lookup; else the script lacks what it was called for."""
        entry = self._entry
        if isinstance(entry, PasswordVerify):
            self._begin(PassdbLookup(self._call))
        elif isinstance(entry, UserdbIterate):
            # Dovecot says nothing either.
            self._conclude(AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=no_function(entry.function)))
        elif isinstance(entry, CacheKey):
            self._conclude(key_result(LEGACY_CACHE_KEY if self._call.is_legacy else b""))
        else:
            self._conclude(entry.fail(no_function(entry.function)))

    def raised(self, text: str) -> None:
        """Judge an error of the script."""
        entry = self._entry
        self._conclude(entry.fail(call_failure(entry.function, entry.argument_count, text, entry.result_count)))

    def _begin(self, entry: EntryPoint) -> None:
        self._entry = entry
        self.after(entry.start())

    def _conclude(self, result: AuthResult) -> None:
        if self._entry.log:
            self._write_log()
        self.end(OutcomeKind.OK, "", [result.to_value()])

    def _write_log(self) -> None:
        request = self._call.request
        parts = (request.get(name) for name in (b"user", b"remote_ip", b"session"))
        prefix = log_prefix(*(part if isinstance(part, bytes) else b"" for part in parts))
        for level, text in self._entry.log:
            self.scheduler.log(self.instance.package.name, level, prefix + text)


def _auth_call(args: list[Any], instance: Instance, max_result_bytes: int) -> AuthCall | None:
    """Read the arguments `[request, password]`; None if they are none."""
    request = args[0] if args else {}
    # An empty dict is one on the wire too; a list would be a table whose keys are numbers.
    if not isinstance(request, dict):
        return None
    password = args[1] if len(args) > 1 else None
    if password is not None:
        if not isinstance(password, bytes):
            return None
        if b"\0" in password:
            password = password.partition(b"\0")[0]
    return AuthCall(request, password, instance.package.dialect, max_result_bytes, instance.state)


def _refusal(function: str, *, is_known: bool) -> str:
    if is_known:
        return f"{function} takes a request, which is a table, and a password, which is a string"
    return f"'{function}' is not an auth entry point: " + ", ".join(_ENTRY_POINTS)


def _check(values: tuple[Any, ...]) -> Check:
    """What the operation returned; an operation that failed itself returned something else."""
    if isinstance(values, Check):
        return values
    return Check(is_match=False, is_temporary=True, text=b"Password check failed: internal error")
