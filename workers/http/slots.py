"""The right to use one of a peer's connections: so many at once as `max_parallel_connections` says.

First come, first served. `adapter` takes a slot around each exchange. Without a limit it costs nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from workers.http.failure import deadline_passed
from workers.http.interruption import Interruption


class Slots:
    """The slots of one peer."""

    __slots__ = ("_free", "_lock", "_waiting")

    def __init__(self, count: int | None) -> None:
        """Set up; `count` None: no limit."""
        self._free = count
        self._lock = threading.Lock()
        #: Events of those who wait; who gives a slot back sets the first one, and the slot is its owner's.
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def taken(self, interruption: Interruption) -> Iterator[None]:
        """Hold a slot, after waiting for it.

        Raises:
            HttpFailure: 9000, the request was given up meanwhile; 9008, its deadline passed.
        """
        if self._free is None:
            yield
            return
        self._take(interruption)
        try:
            yield
        finally:
            self._give_back()

    def _take(self, interruption: Interruption) -> None:
        mine = interruption.wakeup()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            self._waiting.append(mine)
        remaining_s = interruption.remaining_s()
        mine.wait(min(max(remaining_s, 0.0), threading.TIMEOUT_MAX))
        with self._lock:
            is_waiting = mine in self._waiting
            if is_waiting:
                self._waiting.remove(mine)
        if not is_waiting:
            # The slot was handed over; the event is for the next wait again.
            mine.clear()
            try:
                interruption.check()
            except BaseException:
                self._give_back()
                raise
            return
        interruption.check()
        raise deadline_passed()

    def _give_back(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            elif self._free is not None:
                self._free += 1
