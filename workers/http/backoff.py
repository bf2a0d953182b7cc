"""Pauses between connects to an address that refused us: they double from failure to failure, one success ends them.

One per address of a client, shared by its requests.
"""

from __future__ import annotations

import threading
import time


class Backoff:
    """The pauses of one address."""

    __slots__ = ("_failed_s", "_first_s", "_lock", "_max_s", "_pause_s")

    def __init__(self, first_s: float, max_s: float) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._lock = threading.Lock()
        self._pause_s = 0.0
        self._failed_s = 0.0

    def remaining_s(self) -> float:
        """Seconds until the next connect may start; 0 or less: now."""
        with self._lock:
            return self._failed_s + self._pause_s - time.monotonic() if self._pause_s else 0.0

    def failed(self, started_s: float) -> None:
        """Note a failure of something that started at that monotonic time."""
        with self._lock:
            # A hundred requests that run into the same outage at the same time are one failure, not a hundred
            # doublings: those that started before the last failure was noted did not ignore it.
            if self._pause_s and started_s < self._failed_s:
                return
            self._pause_s = min(self._pause_s * 2 or self._first_s, self._max_s)
            self._failed_s = time.monotonic()

    def succeeded(self) -> None:
        """Note a success: the next connect starts at once."""
        # Without the lock: this runs for every request, and a lost race only means one pause more or less.
        self._pause_s = 0.0
