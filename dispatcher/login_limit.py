"""Limits on logins per user and per client address, counted in Redis for all dispatchers together.

`dispatcher.auth` asks before it has a login checked. The keys hold keyed hashes, never names or addresses. What cannot
be counted (Redis is away, slow, or holds rubbish) is let through: a limit protects the pool, it is no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_async
from dispatcher.protocol.sealing import Seal
from dispatcher.script_batch import ScriptBatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from dispatcher.protocol.settings import AuthSettings, Settings

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
        self._batch = ScriptBatch(
            self._redis, "login_limit.lua", "logins are not limited at the moment, they cannot be counted"
        )

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
        await self._batch.close()
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
        found = (
            keys.login_limit(what, self._seal.fingerprint(f"limit {what}".encode(), name)) for what, name in wanted
        )
        limits = [self._limits[what] for what, _ in wanted]
        arguments = chain.from_iterable((one.max_logins, int(one.window_s * _MICROSECONDS)) for one in limits)
        future: asyncio.Future[list[int] | None] = asyncio.get_running_loop().create_future()
        self._batch.ask(tuple(found), tuple(arguments), partial(_resolve, future))
        number, again_ms = await future or (0, 0)
        return limits[number - 1].reason(again_ms) if number else ""


def _resolve(future: asyncio.Future[list[int] | None], answer: list[int] | None) -> None:
    if not future.done():
        future.set_result(answer)


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
