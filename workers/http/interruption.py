"""The end of one submitted request from outside: its absolute deadline, and a caller that gave up.

`client` makes one per request; whatever waits, waits through it. A thread that sits in a system call is woken by
shutting its sockets down: closing them would leave it where it is and hand the number to somebody else's file.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from workers.http.failure import ABORTED, HttpFailure


class Interruption:
    """May end one request at any time."""

    __slots__ = ("_is_interrupted", "_lock", "_sockets", "_wakeup", "deadline_s")

    def __init__(self, deadline_s: float | None) -> None:
        """Begin.

        Args:
            deadline_s: monotonic time at which the request ends whatever happens; None: never.
        """
        self.deadline_s = float("inf") if deadline_s is None else deadline_s
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._wakeup: threading.Event | None = None
        self._is_interrupted = False

    def interrupt(self) -> None:
        """End the request, from any thread; what it waits for ends now."""
        # Under the lock: `drop` comes before the owner closes a socket, so a socket in the list is open.
        with self._lock:
            self._is_interrupted = True
            for sock in self._sockets:
                with suppress(OSError):
                    # Not SSLSocket.shutdown: that would take the TLS state away from the thread that reads.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
            if self._wakeup:
                self._wakeup.set()

    def check(self) -> None:
        """Raise if the request has been given up.

        Raises:
            HttpFailure: 9000.
        """
        if self._is_interrupted:
            raise HttpFailure(ABORTED, "Aborted")

    def hold(self, sock: socket.socket) -> None:
        """Say that the request waits on a socket from now on.

        Raises:
            HttpFailure: 9000, it was given up already.
        """
        with self._lock:
            self._sockets.append(sock)
        self.check()

    def drop(self, sock: socket.socket) -> None:
        """Say that it does so no more; before the socket is closed, wrapped or handed on."""
        with self._lock:
            if sock in self._sockets:
                self._sockets.remove(sock)

    def wakeup(self) -> threading.Event:
        """The event that is set when the request is given up; for waits without a socket."""
        with self._lock:
            if self._wakeup is None:
                self._wakeup = threading.Event()
                if self._is_interrupted:
                    self._wakeup.set()
            return self._wakeup

    def remaining_s(self) -> float:
        """Seconds until the deadline, infinite without one."""
        return self.deadline_s - time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Pause, at most until the deadline.

        Raises:
            HttpFailure: 9000.
        """
        self.check()
        duration_s = min(duration_s, self.remaining_s())
        if duration_s > 0:
            self.wakeup().wait(min(duration_s, threading.TIMEOUT_MAX))
        self.check()
