"""The connections to one peer, on urllib3's pool: the one place that imports it.

`adapter` sends exchanges through it. urllib3 keeps the order of things: take a connection, use it, give it back or
throw it away, whatever happens. Which bytes are sent, how a head is read and how long anything may take is ours.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from workers.http.connecting import Connecting
from workers.http.exchange import Answer, Exchange
from workers.http.failure import CONNECTION_LOST, HttpFailure
from workers.http.network import Network
from workers.http.peer import Peer, connection_ids
from workers.http.rawlog import open_rawlog
from workers.http.securing import Securing
from workers.http.settings import ClientSettings
from workers.http.slots import Slots
from workers.http.stream import Stream

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

_MS: Final = 1000


@dataclass(slots=True, kw_only=True)
class Ride:
    """An exchange on its way down, with what it takes to connect when no connection is idle."""

    exchange: Exchange
    #: Limit of one connect.
    connect_timeout_s: float
    securing: Securing


class Connection(HTTPConnection):
    """A connection to a peer; connects when the first exchange needs it."""

    def __init__(self, peer: Peer, settings: ClientSettings, network: Network) -> None:
        super().__init__("peer")
        self._peer = peer
        self._settings = settings
        self._network = network
        self._stream: Stream | None = None
        self._ride: Ride | None = None
        self._connected_s = 0.0
        self._address = ""
        #: Monotonic time since which it is idle.
        self.idle_s = 0.0

    def request(
        self,
        method: object,  # noqa: ARG002 - the names are urllib3's
        url: object,  # noqa: ARG002
        body: object = None,
        headers: object = None,  # noqa: ARG002
        **_options: object,
    ) -> None:
        """Take the exchange that urllib3 carries as the body, and connect."""
        # For the type checker, here and below: `Adapter.ride` is the only one who sends anything.
        assert isinstance(body, Ride)  # noqa: S101
        self._ride = body
        if self._stream is None:
            self._stream = self._connected(body)

    def getresponse(self) -> Any:  # noqa: ANN401 - http.client and urllib3 disagree on what it is
        """Run the exchange; the answer is complete, nothing of it is left on the connection."""
        # urllib3 calls `request` first.
        assert self._stream  # noqa: S101
        assert self._ride  # noqa: S101
        ride, self._ride = self._ride, None
        ride.exchange.connected_s = self._connected_s
        try:
            answer = ride.exchange.run(self._stream, self._peer.expectation)
        except HttpFailure as failure:
            if failure.status == CONNECTION_LOST and not self._stream.in_bytes:
                # As after a failed connect: a server that hangs up at once must not be called again and again.
                self._peer.backoff(self._address).failed(self._connected_s)
            raise
        # Not when it connected: the pauses of a server that hangs up each time would never grow.
        self._peer.backoff(self._address).succeeded()
        return Reply(answer)

    def _connected(self, ride: Ride) -> Stream:
        connecting = Connecting(
            self._peer, self._settings, self._network, ride.exchange.interruption, ride.connect_timeout_s
        )
        sock, attempt = connecting.connect(ride.securing.secure)
        self._address = attempt.address
        self.sock = sock
        self._connected_s = time.monotonic()
        stream = Stream(sock, f"(conn:{attempt.name},id={next(connection_ids)})")
        if self._settings.rawlog_dir:
            stream.rawlog = open_rawlog(self._settings.rawlog_dir)
        return stream

    def is_usable(self) -> bool:
        """Is it open, with nothing to be read? An idle server that speaks says good-bye."""
        # For the type checker: what lies idle is open.
        assert self._stream  # noqa: S101
        poll = select.poll()
        poll.register(self._stream.sock, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close it; the next exchange would connect again."""
        stream, self._stream = self._stream, None
        self.sock = None
        if stream:
            stream.close()


class Reply:
    """An answer with what urllib3's pool expects of a response."""

    headers: Mapping[str, str] = MappingProxyType({})
    version_string = "HTTP/1.1"
    length_remaining = 0

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.status = answer.head.status
        self.retries: object = None
        self._connection: Connection | None = None
        self._pool: Pool | None = None

    def release(self) -> Answer:
        """Give the connection back to its pool, or close it."""
        connection, pool = self._connection, self._pool
        if connection and pool:
            if not self.answer.is_kept:
                connection.close()
            pool._put_conn(connection)  # noqa: SLF001 - urllib3's own responses do the same
        return self.answer


class Pool(HTTPConnectionPool):
    """The connections to one peer; the one that was used last is used first."""

    def __init__(self, peer: Peer, settings: ClientSettings, network: Network) -> None:
        super().__init__("peer", maxsize=1)
        self.peer = peer
        self.slots = Slots(settings.max_parallel_connections)
        self._settings = settings
        self._network = network
        self._idle_lock = threading.Lock()
        self._idle: list[Connection] = []
        self._is_closed = False

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:  # noqa: ARG002 - `slots` has waited
        """An idle connection that still lives, or a new one."""
        self.close_idle_since(self._oldest_s())
        while True:
            with self._idle_lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None or connection.is_usable():
                found = connection or Connection(self.peer, self._settings, self._network)
                return cast("BaseHTTPConnection", found)
            connection.close()

    def _put_conn(self, conn: object) -> None:
        """Keep a connection for the next exchange; None or a closed one is dropped."""
        if not isinstance(conn, Connection) or conn.is_closed:
            return
        conn.idle_s = time.monotonic()
        with self._idle_lock:
            if not self._is_closed:
                self._idle.append(conn)
                return
        conn.close()

    def close(self) -> None:
        """Close the idle connections; those in use close when they come back."""
        with self._idle_lock:
            self._is_closed = True
        self.close_idle_since(float("inf"))

    def close_idle_since(self, idle_s: float) -> None:
        """Close connections that are idle since before that monotonic time."""
        if not self._idle or self._idle[0].idle_s >= idle_s:
            return
        with self._idle_lock:
            # In order of their becoming idle: the longest is first.
            old = [connection for connection in self._idle if connection.idle_s < idle_s]
            self._idle = [connection for connection in self._idle if connection.idle_s >= idle_s]
        for connection in old:
            connection.close()

    def close_unusable(self) -> None:
        """Close idle connections that are too old, or that the server has closed."""
        self.close_idle_since(self._oldest_s())
        with self._idle_lock:
            dead = [connection for connection in self._idle if not connection.is_usable()]
            self._idle = [connection for connection in self._idle if connection not in dead]
        for connection in dead:
            connection.close()

    def _oldest_s(self) -> float:
        limit_ms = self._settings.max_idle_time_ms
        return time.monotonic() - limit_ms / _MS if limit_ms else 0.0
