"""Connecting to a peer: its addresses one after the other or racing each other, pauses between failures, TLS, tunnels.

`pool` calls it when no connection is idle. What it raises is 9002 or 9003 with Dovecot's texts, 9000, or 9008 when
the time of the whole request is over. No OSError may get out: urllib3 would make something of its own of it.

**Mirrors** http-client-queue.c: without `max_connect_attempts` each address is tried once, with it addresses are tried
in turn until so many tries have failed.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dispatcher.protocol.errors import LualoftError
from workers.http.destination import check_host, is_address, look_up
from workers.http.failure import CONNECT_FAILED, HttpFailure, deadline_passed, seconds
from workers.http.interruption import Interruption
from workers.http.network import Network
from workers.http.peer import Peer
from workers.http.settings import ClientSettings

_MS: Final = 1000
#: The system takes a C int, and less than that.
_MAX_BUFFER_BYTES: Final = 2**30
#: Longest wait of one poll: its limit is a C int of milliseconds.
_MAX_POLL_S: Final = 86_400.0


@dataclass(slots=True)
class Try:
    """A connect that was started."""

    sock: socket.socket
    address: str
    #: "127.0.0.1:80", or a unix socket's path.
    name: str
    started_s: float
    #: TCP and TLS must be ready by then.
    deadline_s: float


#: Makes a connected socket ready for requests (tunnel, TLS); raises HttpFailure.
Secure = Callable[[Try], socket.socket]


class Connecting:
    """Connects once, for one request."""

    def __init__(
        self, peer: Peer, settings: ClientSettings, network: Network, interruption: Interruption, timeout_s: float
    ) -> None:
        """Set up.

        Args:
            timeout_s: limit of one try.
        """
        self._peer = peer
        self._settings = settings
        self._network = network
        self._interruption = interruption
        self._timeout_s = timeout_s
        self._started_s = time.monotonic()
        self._tries = 0
        self._failure: HttpFailure | None = None
        self._pending: list[Try] = []

    def connect(self, secure: Secure) -> tuple[socket.socket, Try]:
        """Connect; returns the socket, ready for requests, and the try that led to it.

        Raises:
            HttpFailure: 9000, 9002, 9003 or 9008.
        """
        addresses = self._addresses()
        try:
            return self._race(addresses, secure)
        except HttpFailure:
            self._peer.forget_addresses()
            raise
        finally:
            for loser in self._pending:
                self._close(loser)

    # Whom to try.

    def _addresses(self) -> list[str]:
        key = self._peer.key
        if key.socket_path:
            if self._network.is_restricted:
                problem = "the script's egress rules allow no unix sockets"
                raise HttpFailure(CONNECT_FAILED, f"connect({key.socket_path}) failed: {problem}")
            return [key.socket_path]
        check_host(self._network, key.host, key.port)
        if is_address(key.host):
            return self._allowed([key.host], "")
        found = self._peer.known_addresses()
        if not found:
            found = look_up(self._network, key.host, self._timeout_s, self._interruption)
            self._peer.keep_addresses(found)
        return self._allowed(found, key.host)

    def _allowed(self, addresses: list[str], host: str) -> list[str]:
        """Those of the addresses that the operator's rules allow."""
        allowed: list[str] = []
        refusal: LualoftError | None = None
        for address in addresses:
            try:
                self._network.check_address(address, self._peer.key.port, host)
                allowed.append(address)
            except LualoftError as exc:
                refusal = exc
        if refusal and not allowed:
            raise HttpFailure(CONNECT_FAILED, f"connect({self._name(addresses[-1])}) failed: {refusal}") from refusal
        return allowed

    # Trying.

    def _race(self, addresses: list[str], secure: Secure) -> tuple[socket.socket, Try]:
        limit = self._settings.max_connect_attempts or len(addresses)
        order = itertools.cycle(addresses)
        address = next(order)
        soft_s = self._settings.soft_connect_timeout_ms / _MS or float("inf")
        next_start_s = 0.0
        while True:
            may_start = self._tries < limit
            if may_start and (not self._pending or time.monotonic() >= next_start_s):
                pause_s = self._peer.backoff(address).remaining_s()
                if pause_s <= 0 or not self._pending:
                    self._pause(address, pause_s)
                    self._start(address)
                    address = next(order)
                    pause_s = soft_s
                next_start_s = time.monotonic() + pause_s
            elif not self._pending:
                raise self._end()
            for connected in self._wait(next_start_s if may_start else float("inf")):
                sock = self._ready(connected, secure)
                if sock:
                    return sock, connected

    def _start(self, address: str) -> None:
        self._tries += 1
        now_s = time.monotonic()
        key = self._peer.key
        family = socket.AF_UNIX if key.socket_path else socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:
            # No descriptors left, or no IPv6 in this kernel.
            self._failure = HttpFailure(CONNECT_FAILED, f"socket() failed: {exc.strerror}")
            return
        attempt = Try(sock, address, self._name(address), now_s, now_s + self._timeout_s)
        self._pending.append(attempt)
        self._interruption.hold(sock)
        sock.settimeout(0)
        self._prepare(sock)
        try:
            error = sock.connect_ex(key.socket_path or (address, key.port))
        except (OSError, ValueError) as exc:
            # Python's own refusals, of paths that are too long or hold a NUL.
            self._failed(attempt, f"connect({attempt.name}) failed: {exc}", exc)
            return
        if error not in {0, errno.EINPROGRESS}:
            self._refused(attempt, error)

    def _prepare(self, sock: socket.socket) -> None:
        send_bytes = min(self._settings.socket_send_buffer_size_bytes, _MAX_BUFFER_BYTES)
        receive_bytes = min(self._settings.socket_recv_buffer_size_bytes, _MAX_BUFFER_BYTES)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)

    def _pause(self, address: str, pause_s: float) -> None:
        """Wait out the address's back-off."""
        if pause_s <= 0:
            return
        if pause_s >= min(self._timeout_s, self._interruption.remaining_s()):
            # The request would be over before the address is tried: say now what it would say then.
            failure = self._failure or HttpFailure(
                CONNECT_FAILED, f"connect({self._name(address)}) failed: Connect is delayed after earlier failures"
            )
            raise failure
        self._interruption.sleep(pause_s)

    def _wait(self, until_s: float) -> Iterator[Try]:
        """Those that are connected; returns at that time at the latest."""
        if not self._pending:
            return
        if self._interruption.remaining_s() <= 0:
            raise deadline_passed()
        until_s = min(until_s, self._interruption.deadline_s, *(attempt.deadline_s for attempt in self._pending))
        poll = select.poll()
        for attempt in self._pending:
            poll.register(attempt.sock, select.POLLOUT)
        limit_s = min(max(until_s - time.monotonic(), 0.0), _MAX_POLL_S)
        # Rounded up, so that the wait does not end a moment before its time and spin.
        ready = {descriptor for descriptor, _ in poll.poll(int(limit_s * _MS) + 1)}
        self._interruption.check()
        for attempt in list(self._pending):
            if attempt.sock.fileno() in ready:
                error = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    self._refused(attempt, error)
                else:
                    yield attempt
            elif time.monotonic() >= attempt.deadline_s:
                duration = seconds(time.monotonic() - attempt.started_s)
                text = f"connect({attempt.name}) failed: Connection timed out in {duration} secs"
                self._failed(attempt, text, TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def _ready(self, attempt: Try, secure: Secure) -> socket.socket | None:
        """Make a connected socket ready for requests; None: that failed."""
        self._pending.remove(attempt)
        self._interruption.drop(attempt.sock)
        try:
            sock = secure(attempt)
        except HttpFailure as failure:
            self._interruption.check()
            self._failed(attempt, failure.text, failure)
            return None
        self._peer.prefer_address(attempt.address)
        return sock

    # Failing.

    def _refused(self, attempt: Try, error: int) -> None:
        problem = os.strerror(error)
        self._failed(attempt, f"connect({attempt.name}) failed: {problem}", OSError(error, problem))

    def _failed(self, attempt: Try, text: str, cause: Exception) -> None:
        if attempt in self._pending:
            self._pending.remove(attempt)
        self._close(attempt)
        self._failure = HttpFailure(CONNECT_FAILED, text)
        self._failure.__cause__ = cause
        self._peer.backoff(attempt.address).failed(attempt.started_s)

    def _end(self) -> HttpFailure:
        failure = self._failure or HttpFailure(CONNECT_FAILED, "connect() failed: no address")
        if self._tries > 1:
            duration = seconds(time.monotonic() - self._started_s)
            last = failure
            failure = HttpFailure(CONNECT_FAILED, f"{last.text} ({self._tries} attempts in {duration} secs)")
            failure.__cause__ = last
        return failure

    def _close(self, attempt: Try) -> None:
        self._interruption.drop(attempt.sock)
        with suppress(OSError):
            attempt.sock.close()

    def _name(self, address: str) -> str:
        key = self._peer.key
        return key.socket_path or (f"[{address}]:{key.port}" if ":" in address else f"{address}:{key.port}")
