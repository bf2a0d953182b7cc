"""One connected socket with a deadline over everything that is read and written, counters, and a transcript.

Only the thread that runs the request uses it; the one exception is `Interruption.interrupt`: it shuts the socket down.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.http.rawlog import Rawlog

#: What is read from the socket at once.
READ_BYTES: Final = 64 * 1024


class Stream:
    """A connection's bytes."""

    __slots__ = ("deadline_s", "in_bytes", "label", "out_bytes", "rawlog", "sock")

    def __init__(self, sock: socket.socket, label: str) -> None:
        """Wrap a connected socket.

        Args:
            sock: it; a TLS socket after its handshake.
            label: its name in texts, `(conn:127.0.0.1:80,id=1)`.
        """
        self.sock = sock
        self.label = label
        #: Monotonic time at which reading and writing end with TimeoutError.
        self.deadline_s = 0.0
        self.in_bytes = 0
        self.out_bytes = 0
        self.rawlog: Rawlog | None = None

    def read(self, deadline_s: float | None = None) -> bytes:
        """Wait for bytes; empty: the other side ended it.

        Args:
            deadline_s: an earlier deadline for this read.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke.
        """
        deadline_s = self.deadline_s if deadline_s is None else min(deadline_s, self.deadline_s)
        self._limit(deadline_s)
        # TLS that ends without a goodbye ends like TCP: SSLSocket returns nothing.
        data = self.sock.recv(READ_BYTES)
        self.in_bytes += len(data)
        if self.rawlog and data:
            self.rawlog.received(data)
        return data

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke.
        """
        self._limit(self.deadline_s)
        self.sock.sendall(data)
        self.out_bytes += len(data)
        if self.rawlog:
            self.rawlog.sent(data)

    def close(self) -> None:
        """Close socket and transcript."""
        # A TLS peer that waits for our close_notify is none of our concern: it may make the thread wait.
        self.sock.close()
        if self.rawlog:
            self.rawlog.close()

    def _limit(self, deadline_s: float) -> None:
        remaining_s = deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        self.sock.settimeout(remaining_s)
