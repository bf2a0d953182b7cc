"""Auth over the pool: a script's verdict as a typed result, and chains of scripts with Dovecot's rules.

Gateways and the CLI call it; it sits on an AsyncDispatcher and knows no Redis. Everything that is not a script's own
verdict is `internal_failure`: a failure of ours never says "wrong password".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.auth_chain import Chain, as_bytes
from dispatcher.catalog import Script
from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult, AuthVerdict
from dispatcher.protocol.errors import EXIT_TEMPORARY, CodecError, LualoftError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from dispatcher.asked import HeldCall
    from dispatcher.auth_chain import Link
    from dispatcher.auth_guard import Guard
    from dispatcher.client import AsyncDispatcher
    from dispatcher.protocol.outcome import Outcome


#: In passwords.
_ILLEGAL: Final = frozenset(b"\x01\t\r\n")


class AuthOptions:
    """Keys of `request["options"]`, as the worker reads them."""

    DEFAULT_SCHEME: Final = "default_password_scheme"
    ALLOW_WEAK: Final = "allow_weak_schemes"
    IS_CREDENTIALS: Final = "is_credentials_lookup"
    FIRST_USER: Final = "first_user"


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
        guard: Guard | None = None,
    ) -> None:
        """Set up.

        Args:
            dispatcher: entered already.
            deadline_s: of each call; default as the dispatcher's.
            queue: default as the dispatcher's.
            on_answer: is told of each script's answer as it comes.
            guard: what `[auth]` asks for, see `auth_guard`; None: no limits, and each check runs.
        """
        self._dispatcher = dispatcher
        self._on_answer = on_answer
        self._deadline_s = deadline_s
        self._queue = queue
        self._limits = guard.limits if guard is not None else None
        self._single_flight = guard.single_flight if guard is not None else None

    async def verify(self, script: str | Script, request: Mapping[str, Any], password: str | bytes) -> AuthResult:
        """Check a login: `auth_password_verify`, or `auth_passdb_lookup` and the stored password.

        Args:
            script: a name that the catalog knows, or a Script.
            request: Dovecot 2.4 variable names -> values (`user`, `protocol`, `remote_ip`, …), and optionally `passdb`,
                `userdb`, `options` (see AuthOptions).
            password: what the user typed. With a tab, a line end or the byte 1 it is never right and no script sees it:
                Dovecot's inner protocols give those a meaning.
        """
        return await self._limited(request) or await self._verify(script, request, password)

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

        A `user_disabled` or `pass_expired` ends the chain. `next` goes on, and a chain that ends with it is an internal
        failure. Fields that a script set are given to the next one. The result's fields are what Dovecot tells its
        client: `original_user` of a renamed user and `auth_user` of a master user among them.
        """
        limited = await self._limited(request)
        if limited is not None:
            return limited
        state = Chain(request)
        for link in chain:
            result = await self._verify(link.script, state.request, password)
            if state.take(link, result):
                break
        return state.result()

    async def cache_key(self, script: str | Script, database: str = "passdb") -> bytes | None:
        """Return the template by which a script's answers may be cached, `%{user}`; None: they may not be.

        Args:
            script: as of `verify`.
            database: `passdb` or `userdb`.

        Raises:
            CacheKeyError: the script's function failed or returned no template, to Dovecot a fatal error at its start.
        """
        result = await self._ask(script, f"auth_{database}_get_cache_key", [{}])
        if result.verdict is not AuthVerdict.OK:
            raise CacheKeyError(result.reason)
        return result.fields.get(b"cache_key")

    async def _limited(self, request: Mapping[str, Any]) -> AuthResult | None:
        """Count a login, once for a whole chain; None when it may go on."""
        reason = await self._limits.count(request) if self._limits is not None else ""
        return AuthResult(AuthVerdict.INTERNAL_FAILURE, reason=reason) if reason else None

    async def _verify(self, script: str | Script, request: Mapping[str, Any], password: str | bytes) -> AuthResult:
        if has_illegal_characters(password):
            reason = "Attempted login with password having illegal chars"
            return AuthResult(AuthVerdict.USER_UNKNOWN, as_bytes(request.get("user")), reason=reason)
        args = [dict(request), password]
        if self._single_flight is None:
            return await self._ask(script, "auth_password_verify", args)
        found = script if isinstance(script, Script) else self._dispatcher.catalog.find(script)
        what = (found.packed[0], self._queue or "")
        hold = partial(self._hold, found, "auth_password_verify", args)
        return self._told(script, await self._single_flight.call(what, args, hold))

    async def _ask(self, script: str | Script, function: str, args: list[Any]) -> AuthResult:
        held = self._hold(script, function, args, self._deadline_s)
        held.send()
        return self._told(script, await held.future)

    def _hold(self, script: str | Script, function: str, args: list[Any], deadline_s: float | None) -> HeldCall:
        return self._dispatcher.hold(
            script, function, args, deadline_s=deadline_s, queue=self._queue, idempotent=True, host=AUTH_HOST
        )

    def _told(self, script: str | Script, outcome: Outcome) -> AuthResult:
        result = result_of(outcome)
        if self._on_answer is not None:
            self._on_answer(Answer(script, outcome, result))
        return result


def has_illegal_characters(password: str | bytes) -> bool:
    """Return whether Dovecot refuses a password without looking at it (password_has_illegal_chars)."""
    # To C it ends at its first NUL.
    return not _ILLEGAL.isdisjoint(as_bytes(password))


class CacheKeyError(LualoftError):
    """Nobody knows by what to cache: the script or the pool failed."""


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
