"""The resolver of one worker: a name's addresses from the hosts file, the cache, or the DNS servers.

Scripts come through the operation `dns_lookup`, HTTP threads through `addresses`. Everything but `addresses` runs on
the loop. Knows nothing of egress control: that looks at what comes out here.

**Mirrors** getaddrinfo of glibc, which Dovecot's dns-client calls, in search order and error codes; not in the order
of addresses inside a family, which stays the server's.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.dns_address import DNS_PORT, parse_dns_server
from workers.dns.asking import Asking
from workers.dns.cache import AnswerCache
from workers.dns.error import ResolveCode, ResolveError, timed_out
from workers.dns.literal import parse_literal
from workers.dns.message import name_bytes
from workers.dns.server import DnsServer
from workers.dns.system_files import ResolvConf, parse_hosts, parse_resolv_conf, with_settings
from workers.dns.watched_file import WatchedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dispatcher.protocol.settings import DnsSettings
    from workers.operations.loop_thread import LoopThread

HOSTS_FILE: Final = "/etc/hosts"
RESOLV_CONF: Final = "/etc/resolv.conf"


class Resolver:
    """Looks names up; one lookup at a time for each name, however many ask."""

    def __init__(
        self,
        settings: DnsSettings,
        loop: LoopThread,
        *,
        hosts_file: str = HOSTS_FILE,
        resolv_conf: str = RESOLV_CONF,
        has_route: Callable[[str], bool] | None = None,
    ) -> None:
        """Set up; nothing is read or opened yet.

        Args:
            settings: section `dns`.
            loop: where lookups run.
            hosts_file, resolv_conf: the system's files.
            has_route: see `Asking`.
        """
        self._settings = settings
        self._loop = loop
        self._asking = Asking(settings.attempts, settings.timeout_s, has_route)
        self._cache = AnswerCache(settings)
        self._hosts = WatchedFile(hosts_file, parse_hosts)
        self._resolv_conf = WatchedFile(resolv_conf, parse_resolv_conf)
        self._servers: dict[tuple[str, int], DnsServer] = {}
        self._flights: dict[bytes, asyncio.Task[tuple[str, ...]]] = {}

    def addresses(self, host: str, timeout_s: float) -> list[str]:
        """Look a name up from a thread other than the loop's; at least one address.

        Raises:
            ResolveError: there is none, or none came in time.
        """
        literal = parse_literal(host)
        if literal is not None:
            return [literal]
        started_s = time.monotonic()
        try:
            name = host.encode("utf-8", "surrogateescape")
            return self._loop.result_of(lambda: self.lookup(name), timeout_s)
        except TimeoutError:
            raise timed_out(time.monotonic() - started_s) from None

    async def lookup(self, host: bytes) -> list[str]:
        """Look a name up; at least one address.

        Raises:
            ResolveError: there is none, or none came in time.
        """
        if not host:
            raise ResolveError(ResolveCode.FAIL, "Empty hostname")
        literal = parse_literal(host.decode("latin-1"))
        if literal is not None:
            return [literal]
        key = host.lower()
        kept = self._hosts_entry(key) or self._cache.get(key)
        if isinstance(kept, ResolveError):
            raise kept
        if kept is not None:
            return list(kept)
        # Shielded: it belongs to all who ask for the name, and ends by itself.
        return list(await asyncio.shield(self._flight(key)))

    async def close(self) -> None:
        """Close all sockets."""
        for server in self._servers.values():
            server.close()

    def _hosts_entry(self, key: bytes) -> tuple[str, ...] | None:
        addresses = self._hosts.read().get(key.decode("utf-8", "surrogateescape"))
        return self._asking.ordered(addresses) if addresses else None

    def _flight(self, key: bytes) -> asyncio.Task[tuple[str, ...]]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._resolve(key))
            flight.add_done_callback(lambda done: self._land(key, done))
        return flight

    def _land(self, key: bytes, flight: asyncio.Task[tuple[str, ...]]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # Everybody who asked may be gone; asyncio would complain about an exception that nobody saw.
            flight.exception()

    async def _resolve(self, key: bytes) -> tuple[str, ...]:
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._search(key)
        except TimeoutError:
            raise timed_out(time.monotonic() - started_s) from None

    async def _search(self, key: bytes) -> tuple[str, ...]:
        """Try the name as it is and with the search domains; the first that has addresses counts."""
        conf = with_settings(self._resolv_conf.read(), self._settings)
        servers = [self._server(address) for address in conf.servers]
        failure = ResolveError(ResolveCode.NONAME)
        ttl_s = 0
        for candidate in _candidates(key, conf):
            name = name_bytes(candidate)
            if name is None:
                continue
            try:
                found = await self._asking.ask(name, servers)
            except ResolveError as exc:
                # As in glibc: another domain may have servers that work, else this is what counts.
                failure, ttl_s = exc, 0
                continue
            if found.error is None:
                self._cache.put(key, found.addresses, found.ttl_s)
                return found.addresses
            if failure.code is ResolveCode.NONAME:
                failure, ttl_s = found.error, found.ttl_s
        if ttl_s:
            self._cache.put(key, failure, ttl_s)
        raise failure

    def _server(self, address: str) -> DnsServer:
        ip, port = parse_dns_server(address) if self._settings.servers else (address, DNS_PORT)
        server = self._servers.get((ip, port))
        if server is None:
            server = self._servers[ip, port] = DnsServer(ip, port)
        return server


def _candidates(host: bytes, conf: ResolvConf) -> Iterator[bytes]:
    """The names to ask for, in the order of resolv.conf(5)."""
    if host.endswith(b"."):
        yield host
        return
    is_long = host.count(b".") >= conf.ndots
    if is_long:
        yield host
    for domain in conf.search:
        yield host + b"." + domain.encode("utf-8", "surrogateescape")
    if not is_long:
        yield host
