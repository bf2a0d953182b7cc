"""Limits on logins per user and per client address, counted in Redis for all dispatchers together.

`dispatcher.auth` asks before it has a login checked. The keys hold keyed hashes, never names or addresses. What cannot
be counted (Redis is away, slow, or holds rubbish) is let through: a limit protects the pool, it is no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import logging
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Self

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, REDIS_NO_SCRIPT, connect_async
from dispatcher.protocol.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from dispatcher.protocol.settings import AuthSettings, Settings

_log: Final = logging.getLogger("lualoft.auth")

#: Seconds for which a login waits for its count; then it is let through.
ANSWER_LIMIT_S: Final = 0.5

#: Seconds between two log lines about logins that could not be counted.
LOG_EVERY_S: Final = 10.0

#: Logins that are counted in one round trip at most.
MAX_BATCH: Final = 512

#: Bits of an IPv6 address that tell clients apart: whoever has one address has the whole network.
IPV6_PREFIX: Final = 64

_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True)
class Limit:
    """How many logins of one kind are allowed."""

    #: What is counted, as it stands in a reason.
    what: str
    max_logins: int
    window_s: float

    def reason(self, again_ms: int) -> str:
        """Say why a login was not checked; names nobody."""
        rule = f"more than {self.max_logins} logins of this {self.what} in {self.window_s:g} s"
        return f"limited: {rule}; again in {again_ms / 1000:.1f} s"


@dataclass(slots=True, eq=False)
class _Count:
    """A login that waits to be counted."""

    keys: list[str]
    limits: list[Limit]
    future: asyncio.Future[str]

    def arguments(self) -> list[str | int]:
        """Return what the script is given beside the keys."""
        numbers = [(limit.max_logins, int(limit.window_s * _MICROSECONDS)) for limit in self.limits]
        return [number for pair in numbers for number in pair]

    def conclude(self, answer: Any) -> None:  # noqa: ANN401 - redis-py's answer
        """Resolve with a reason, or with nothing when the login may go on."""
        if not self.future.done():
            number, again_ms = answer
            self.future.set_result(self.limits[number - 1].reason(again_ms) if number else "")


class LoginLimits:
    """Counts logins; an async context manager, for any number of tasks of one event loop."""

    def __init__(self, settings: Settings) -> None:
        """Set up without connecting.

        Raises:
            SettingsError: the address or the key cannot be used.
        """
        auth = settings.auth
        self._limits = {"user": Limit("user", auth.max_user_logins, auth.user_window_s)}
        self._limits["address"] = Limit("address", auth.max_ip_logins, auth.ip_window_s)
        self._redis = connect_async(settings.redis, retry_count=0)
        self._seal = Seal.from_keys([settings.key.reveal()])
        self._script = resources.files("dispatcher").joinpath("login_limit.lua").read_bytes()
        # Redis's name for a script, no protection of anything.
        self._script_sha1 = hashlib.sha1(self._script, usedforsecurity=False).hexdigest()
        self._waiting: list[_Count] = []
        self._flushing: asyncio.Task[None] | None = None
        self._logged_s = -LOG_EVERY_S

    @staticmethod
    def are_wanted(settings: AuthSettings) -> bool:
        """Tell whether anything is limited."""
        return bool(settings.max_user_logins or settings.max_ip_logins)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; whoever still waits is let through."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        self._let_through(self._waiting)
        with contextlib.suppress(*REDIS_ERRORS):
            await self._redis.aclose()

    async def count(self, request: Mapping[str, Any]) -> str:
        """Count a login; returns why it must not be checked now, or an empty text.

        Args:
            request: `user` and `remote_ip` count; without one of them its limit does not apply.

        Redis: a script per login, all logins of one turn of the event loop in one round trip.
        """
        names = {"user": _user(request.get("user")), "address": _address(request.get("remote_ip"))}
        wanted = [(what, name) for what, name in names.items() if name and self._limits[what].max_logins]
        if not wanted:
            return ""
        found = [
            keys.login_limit(what, self._seal.fingerprint(f"limit {what}".encode(), name)) for what, name in wanted
        ]
        counted = _Count(found, [self._limits[what] for what, _ in wanted], asyncio.get_running_loop().create_future())
        self._waiting.append(counted)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await counted.future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                try:
                    async with asyncio.timeout(ANSWER_LIMIT_S):
                        await self._count(batch)
                except (*REDIS_ERRORS, TimeoutError) as exc:
                    self._note_trouble(exc)
                finally:
                    self._let_through(batch)
        finally:
            self._flushing = None

    async def _count(self, batch: list[_Count]) -> None:
        answers = await self._ask(batch)
        if any(isinstance(answer, REDIS_NO_SCRIPT) for answer in answers):
            # The first login, or Redis restarted.
            await self._redis.script_load(self._script)
            answers = await self._ask(batch)
        for counted, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                self._note_trouble(answer)
            else:
                counted.conclude(answer)

    async def _ask(self, batch: list[_Count]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for counted in batch:
                pipeline.evalsha(self._script_sha1, len(counted.keys), *counted.keys, *counted.arguments())
            return list(await pipeline.execute(raise_on_error=False))

    def _let_through(self, batch: list[_Count]) -> None:
        for counted in batch:
            if not counted.future.done():
                counted.future.set_result("")

    def _note_trouble(self, exc: BaseException) -> None:
        now_s = time.monotonic()
        if now_s - self._logged_s >= LOG_EVERY_S:
            self._logged_s = now_s
            # Not its text: redis-py puts the command in it.
            _log.warning("logins are not limited at the moment, they cannot be counted: %s", type(exc).__name__)


def _user(value: object) -> bytes:
    """Return who is counted: Dovecot's strings end at a NUL, and most user databases ignore case."""
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return data.partition(b"\0")[0].lower() if isinstance(data, bytes) else b""


def _address(value: object) -> bytes:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text:
        return b""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped.packed
        return address.packed[: IPV6_PREFIX // 8]
    return address.packed
