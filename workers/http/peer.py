"""Whom a connection goes to, and what is remembered about them.

A peer is what may share connections: the server of a URL, or the proxy in front of it. Its memory (back-off,
100-continue, addresses) is shared by all requests of a client.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Final, NamedTuple

from workers.http.backoff import Backoff
from workers.http.settings import ClientSettings

#: Number of the last connection of this process, as `(conn:IP:PORT,id=N)` shows it.
connection_ids: Final = itertools.count(1)

_MS: Final = 1000


class PeerKey(NamedTuple):
    """What must be equal for a connection to be shared."""

    #: Name or address; empty for a unix socket.
    host: str
    port: int
    #: Path of a unix socket; empty: TCP.
    socket_path: str = ""
    #: Name in the server's certificate; empty: no TLS.
    tls_name: str = ""
    #: "host:port" to ask the proxy for with CONNECT; empty: none.
    tunnel: str = ""


@dataclass(slots=True)
class Expectation:
    """What a peer did with `Expect: 100-continue`."""

    #: It has sent a 100.
    is_honoured: bool = False
    #: It never did, or refused: do not ask again.
    is_useless: bool = False


class Peer:
    """A peer of one client; every method may be called from any thread."""

    def __init__(self, key: PeerKey, settings: ClientSettings) -> None:
        self.key = key
        self.expectation = Expectation()
        self._settings = settings
        self._lock = threading.Lock()
        self._backoffs: dict[str, Backoff] = {}
        self._addresses: list[str] = []
        self._addresses_until_s = 0.0

    def known_addresses(self) -> list[str]:
        """What the name was resolved to; empty: it is not known, or no longer true."""
        with self._lock:
            return list(self._addresses) if time.monotonic() < self._addresses_until_s else []

    def keep_addresses(self, addresses: list[str]) -> None:
        """Remember them for `dns_ttl`."""
        with self._lock:
            self._addresses = list(addresses)
            # Addresses that a name had once and has no more are not remembered for ever.
            self._backoffs = {address: self._backoffs[address] for address in addresses if address in self._backoffs}
            self._addresses_until_s = time.monotonic() + self._settings.dns_ttl_ms / _MS

    def prefer_address(self, address: str) -> None:
        """Try this address first from now on: it answered."""
        with self._lock:
            if address in self._addresses[1:]:
                self._addresses.remove(address)
                self._addresses.insert(0, address)

    def forget_addresses(self) -> None:
        """None of them answered: ask again next time."""
        with self._lock:
            self._addresses_until_s = 0.0

    def backoff(self, address: str) -> Backoff:
        """The pauses of one of its addresses."""
        with self._lock:
            found = self._backoffs.get(address)
            if found is None:
                settings = self._settings
                found = self._backoffs[address] = Backoff(
                    settings.connect_backoff_time_ms / _MS, settings.connect_backoff_max_time_ms / _MS
                )
            return found
