"""When the workers of a pool that have ended are replaced: at once, or with a pause that grows.

The pool's own, used on its main thread only. It starts nothing; it says when, and counts what `lualoft status` shows.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.pool_note import DEATHS_WINDOW_S

if TYPE_CHECKING:
    from dispatcher.protocol.settings import PoolSettings

#: Longest pause before a worker that had been ready is replaced. What ended it is charged to the calls that ran then,
#: so it does not go on for ever; longer pauses are for workers that cannot even start.
READY_BACKOFF_S: Final = 0.5


class Respawns:
    """The starts that are due, by slot."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._backoff_s: dict[int, float] = {}
        self._due_s: dict[int, float] = {}
        self._deaths_s: deque[float] = deque()
        #: How the last worker ended.
        self.last_end = ""

    def schedule(self, slot: int, end: str, *, is_healthy: bool = False, was_ready: bool = False) -> float:
        """Note an end, or a start that failed, and that there is to be another; returns the pause in seconds.

        Args:
            slot: whose.
            end: how it ended.
            is_healthy: whether its successor starts without back-off.
            was_ready: whether it had taken calls.
        """
        now_s = time.monotonic()
        self._deaths_s.append(now_s)
        self.last_end = end
        backoff_s = self._next_backoff(slot, is_healthy=is_healthy, was_ready=was_ready)
        self._due_s[slot] = now_s + backoff_s
        return backoff_s

    def wait_s(self) -> float | None:
        """Return the seconds until a start is due; None: no one is."""
        return max(0.0, min(self._due_s.values()) - time.monotonic()) if self._due_s else None

    def take_due(self) -> list[int]:
        """Return the slots whose time has come, and forget them."""
        now_s = time.monotonic()
        due = [slot for slot, due_s in self._due_s.items() if due_s <= now_s]
        for slot in due:
            del self._due_s[slot]
        return due

    def recent_count(self) -> int:
        """Return how many have ended within `DEATHS_WINDOW_S`."""
        while self._deaths_s and self._deaths_s[0] < time.monotonic() - DEATHS_WINDOW_S:
            self._deaths_s.popleft()
        return len(self._deaths_s)

    def _next_backoff(self, slot: int, *, is_healthy: bool, was_ready: bool) -> float:
        minimum_s, maximum_s = self._settings.respawn_min_s, self._settings.respawn_max_s
        if was_ready:
            maximum_s = min(maximum_s, max(minimum_s, READY_BACKOFF_S))
        backoff_s = minimum_s if is_healthy else min(self._backoff_s.get(slot, minimum_s), maximum_s)
        self._backoff_s[slot] = min(backoff_s * 2, maximum_s)
        return backoff_s
