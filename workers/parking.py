"""The parked tasks of an engine: which operation belongs to whom, and whose deadline comes next.

The engine's own, used on its thread only.
"""

from __future__ import annotations

import heapq
import itertools
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.tasks import Task


#: Times of tasks that are gone, beyond as many as there are parked tasks, after which all of them are thrown out.
MAX_STALE_COUNT: Final = 1000


class Place(NamedTuple):
    """A parked task and what it resumes."""

    task: Task
    coroutine: object
    #: Is what it waits for computed, on the thread for that?
    is_computed: bool


class ParkingLot:
    """Tasks that wait for operations, by token; and tasks that only wait for a time."""

    def __init__(self) -> None:
        self._tokens = itertools.count(1)
        self._places: dict[int, Place] = {}
        #: (seconds since the epoch, token, is it a sleeper's end?)
        self._times: list[tuple[float, int, bool]] = []

    def __repr__(self) -> str:
        return f"<ParkingLot: {len(self._places)} parked, {len(self._times)} times>"

    def enter(self, task: Task, coroutine: object, *, is_computed: bool = False) -> int:
        """Park a task until its operation's results arrive or its deadline passes; returns the token."""
        token = next(self._tokens)
        self._places[token] = Place(task, coroutine, is_computed)
        # A call that waits often leaves a time behind at each wait, and its deadline may be a day away.
        if len(self._times) > 2 * len(self._places) + MAX_STALE_COUNT:
            self._times = [entry for entry in self._times if entry[1] in self._places]
            heapq.heapify(self._times)
        heapq.heappush(self._times, (task.deadline_unix_s, token, False))
        return token

    def wake_at(self, token: int, unix_s: float) -> None:
        """Have a parked task go on at a time without any results."""
        heapq.heappush(self._times, (unix_s, token, True))

    def take(self, token: int) -> Place | None:
        """Take a task out; None if it is gone already."""
        return self._places.pop(token, None)

    def next_wait_s(self) -> float | None:
        """Seconds until a time comes; None when nothing is parked."""
        while self._times and self._times[0][1] not in self._places:
            heapq.heappop(self._times)
        return max(0.0, self._times[0][0] - time.time()) if self._times else None

    def take_due(self) -> Iterator[tuple[int, Place, bool]]:
        """Take out the tasks whose time has come: (token, place, is it a sleeper's end rather than a deadline?)."""
        now_unix_s = time.time()
        while self._times and self._times[0][0] <= now_unix_s:
            _, token, is_wake = heapq.heappop(self._times)
            place = self.take(token)
            if place is not None:
                yield token, place, is_wake
