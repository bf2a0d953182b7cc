"""Auth over the pool: a script's verdict as a typed result, and chains of scripts with Dovecot's rules.

Gateways and the CLI call it; it sits on an AsyncDispatcher and knows no Redis. Everything that is not a script's own
verdict is `internal_failure`: a failure of ours never says "wrong password".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult, AuthVerdict
from dispatcher.protocol.errors import EXIT_TEMPORARY, CodecError, LualoftError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from dispatcher.catalog import Script
    from dispatcher.client import AsyncDispatcher
    from dispatcher.protocol.outcome import Outcome

#: Dovecot 2.4 variable names -> values, and `passdb`, `userdb`, `options` and Dovecot's four booleans.
Request = dict[str, Any]


class AuthOptions:
    """Keys of `request["options"]`, as the worker reads them."""

    DEFAULT_SCHEME: Final = "default_password_scheme"
    ALLOW_WEAK: Final = "allow_weak_schemes"
    IS_CREDENTIALS: Final = "is_credentials_lookup"
    FIRST_USER: Final = "first_user"


class Rule(StrEnum):
    """What a chain does after a script's result: Dovecot's result_success, result_failure, result_internalfail."""

    RETURN = "return"
    RETURN_OK = "return-ok"
    RETURN_FAIL = "return-fail"
    CONTINUE = "continue"
    CONTINUE_OK = "continue-ok"
    CONTINUE_FAIL = "continue-fail"


@dataclass(frozen=True)
class Link:
    """One passdb of a chain, with Dovecot's defaults."""

    script: str | Script
    result_success: Rule = Rule.RETURN_OK
    result_failure: Rule = Rule.CONTINUE
    result_internalfail: Rule = Rule.CONTINUE


class Answer(NamedTuple):
    """What one script answered, for whoever watches: the links of a chain, log lines and times are in no AuthResult."""

    script: str | Script
    outcome: Outcome
    result: AuthResult


class Auth:
    """Asks auth scripts; one object serves any number of tasks of the dispatcher's event loop."""

    def __init__(
        self,
        dispatcher: AsyncDispatcher,
        *,
        deadline_s: float | None = None,
        queue: str | None = None,
        on_answer: Callable[[Answer], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            dispatcher: entered already.
            deadline_s: of each call; default as the dispatcher's.
            queue: default as the dispatcher's.
            on_answer: is told of each script's answer as it comes.
        """
        self._dispatcher = dispatcher
        self._on_answer = on_answer
        self._deadline_s = deadline_s
        self._queue = queue

    async def verify(self, script: str | Script, request: Mapping[str, Any], password: str | bytes) -> AuthResult:
        """Check a login: `auth_password_verify`, or `auth_passdb_lookup` and the stored password.

        Args:
            script: a name that the catalog knows, or a Script.
            request: Dovecot 2.4 variable names -> values (`user`, `protocol`, `remote_ip`, …), and optionally `passdb`,
                `userdb`, `options` (see AuthOptions).
            password: what the user typed.
        """
        return await self._ask(script, "auth_password_verify", [dict(request), password])

    async def lookup(self, script: str | Script, request: Mapping[str, Any]) -> AuthResult:
        """Look credentials up: `auth_passdb_lookup` without a password to check."""
        options = {**request.get("options", {}), AuthOptions.IS_CREDENTIALS: True}
        return await self._ask(script, "auth_passdb_lookup", [{**request, "options": options}])

    async def userdb(self, script: str | Script, request: Mapping[str, Any]) -> AuthResult:
        """Look a user up: `auth_userdb_lookup`."""
        return await self._ask(script, "auth_userdb_lookup", [dict(request)])

    async def iterate(self, script: str | Script, request: Mapping[str, Any] | None = None) -> AsyncIterator[bytes]:
        """Yield all user names, page by page in bounded memory.

        Raises:
            IterationError: the script failed, or the pool did, before the last page.
        """
        first = 1
        while first:
            options = {**(request or {}).get("options", {}), AuthOptions.FIRST_USER: first}
            result = await self._ask(script, "auth_userdb_iterate", [{**(request or {}), "options": options}])
            if result.verdict is not AuthVerdict.OK:
                raise IterationError(result.reason)
            for user in result.users:
                yield user
            first = result.next_user

    async def verify_chain(
        self, chain: Sequence[Link], request: Mapping[str, Any], password: str | bytes
    ) -> AuthResult:
        """Check a login against several scripts in turn, by Dovecot's rules.

        A `user_disabled` or `pass_expired`, and a field that refuses the login, end the chain. `next` goes on, and a
        chain that ends with it is an internal failure. Fields that a script set are given to the next one.
        """
        state = _Chain(dict(request))
        for link in chain:
            result = await self.verify(link.script, state.request, password)
            if state.take(link, result):
                break
        return state.result()

    async def _ask(self, script: str | Script, function: str, args: list[Any]) -> AuthResult:
        outcome = await self._dispatcher.submit(
            script, function, args, deadline_s=self._deadline_s, queue=self._queue, idempotent=True, host=AUTH_HOST
        )
        result = result_of(outcome)
        if self._on_answer is not None:
            self._on_answer(Answer(script, outcome, result))
        return result


class IterationError(LualoftError):
    """Users cannot be listed: the script or the pool failed. Never says that there are none."""

    exit_code = EXIT_TEMPORARY


def result_of(outcome: Outcome) -> AuthResult:
    """Read the result of an auth invocation; every end but `ok` is an internal failure."""
    if not outcome.is_ok:
        return AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=f"{outcome.kind.value}: {outcome.error}")
    try:
        return AuthResult.from_value(outcome.values[0])
    except (CodecError, IndexError) as exc:
        return AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=f"the worker's answer is no auth result: {exc}")


#: Verdicts after which no other script is asked.
_FINAL: Final = frozenset({AuthVerdict.USER_DISABLED, AuthVerdict.PASS_EXPIRED})


class _Chain:
    """The state of one login on its way through a chain."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._last = AuthResult(AuthVerdict.USER_UNKNOWN, reason="no passdb was asked")
        self._is_ok = False
        self._has_failed_internally = False

    def take(self, link: Link, result: AuthResult) -> bool:
        """Note a script's result; returns whether the chain ends here."""
        self._last = result
        if result.is_final or result.verdict in _FINAL:
            self._is_ok = False
            self._has_failed_internally = False
            return True
        if result.verdict is AuthVerdict.NEXT:
            self._hand_on(result)
            return False
        rule = self._rule(link, result.verdict)
        if result.verdict is AuthVerdict.INTERNAL_FAILURE:
            self._has_failed_internally = True
            self.request["passdbs_seen_internal_failure"] = True
        if result.verdict is AuthVerdict.USER_UNKNOWN:
            self.request["passdbs_seen_user_unknown"] = True
        if rule in (Rule.RETURN_OK, Rule.CONTINUE_OK):
            self._is_ok = True
        elif rule in (Rule.RETURN_FAIL, Rule.CONTINUE_FAIL):
            self._is_ok = False
        elif rule is Rule.RETURN:
            self._is_ok = self._is_ok or result.verdict is AuthVerdict.OK
        self._hand_on(result)
        return rule in (Rule.RETURN, Rule.RETURN_OK, Rule.RETURN_FAIL)

    def result(self) -> AuthResult:
        """Return what the login came to."""
        if self._is_ok:
            return self._last.ending_as(AuthVerdict.OK)
        if self._last.verdict is AuthVerdict.NEXT:
            reason = "Last passdb had noauthenticate field, cannot authenticate user"
            return self._last.ending_as(AuthVerdict.INTERNAL_FAILURE, reason)
        if self._has_failed_internally:
            # Somebody could not be asked: nobody may say that the password is wrong.
            return self._last.ending_as(AuthVerdict.INTERNAL_FAILURE)
        if self._last.verdict is AuthVerdict.OK:
            return self._last.ending_as(AuthVerdict.PASSWORD_MISMATCH)
        return self._last

    def _rule(self, link: Link, verdict: AuthVerdict) -> Rule:
        if verdict is AuthVerdict.OK:
            return link.result_success
        return link.result_internalfail if verdict is AuthVerdict.INTERNAL_FAILURE else link.result_failure

    def _hand_on(self, result: AuthResult) -> None:
        if result.verdict not in (AuthVerdict.OK, AuthVerdict.NEXT):
            return
        fields = {**result.fields, **result.hidden_fields}
        self.request["passdb"] = {**self.request.get("passdb", {}), **fields}
        self.request["userdb"] = {**self.request.get("userdb", {}), **result.userdb_fields}
        if result.user:
            self.request["user"] = result.user
        self.request["skip_password_check"] = self._is_ok
