"""The calls of a batch that are made and not yet written, and how many of them there may be.

`batch` owns one window and one pace. Both run on the event loop and know nothing of input or output.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from dispatcher.batch_input import Record
    from dispatcher.protocol.outcome import Outcome

#: Calls in flight at the start.
FIRST_IN_FLIGHT: Final = 8

#: Calls in flight at least: fewer would leave a worker idle between two calls.
MIN_IN_FLIGHT: Final = 2

#: Calls in flight at most.
MAX_IN_FLIGHT: Final = 2048

#: Seconds between two changes of the pace, at least.
ADAPT_EVERY_S: Final = 0.05

#: Parts of a call's deadline: answered within the first one, more calls may be in flight; beyond the second one, fewer.
GROW_BELOW: Final = 0.1
SHRINK_ABOVE: Final = 0.25


class Asked(NamedTuple):
    """A record with the future of its outcome."""

    record: Record
    future: asyncio.Future[Outcome]
    #: When the call was made, in the event loop's time.
    asked_s: float


class Pace:
    """How many calls may be in flight: as many as leave each of them most of its deadline.

    Fast scripts get a large window. With a slow one the last of the window must still be answered in time, and the
    input goes on for ever, so it is never right to have more waiting than the deadline allows.
    """

    def __init__(
        self, deadline_s: float, first_in_flight: int = FIRST_IN_FLIGHT, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._deadline_s = deadline_s
        self._max_in_flight = max_in_flight
        self._next_change_s = 0.0
        #: Calls that may be in flight now.
        self.limit = min(first_in_flight, max_in_flight)

    def note(self, answered_after_s: float, now_s: float) -> None:
        """Learn from a call that was answered.

        Args:
            answered_after_s: how long it took.
            now_s: on a monotonic clock.
        """
        if now_s < self._next_change_s:
            return
        if answered_after_s > self._deadline_s * SHRINK_ABOVE:
            self.limit = max(self.limit // 2, min(MIN_IN_FLIGHT, self._max_in_flight))
        elif answered_after_s < self._deadline_s * GROW_BELOW:
            self.limit = min(self.limit * 2, self._max_in_flight)
        # What is in flight now was asked under the old limit and says nothing about the new one.
        self._next_change_s = now_s + max(ADAPT_EVERY_S, answered_after_s)


class Window:
    """Calls in flight, taken out in the order of the input or as they are answered."""

    def __init__(self, *, is_ordered: bool) -> None:
        self._is_ordered = is_ordered
        self._asked: deque[Asked] = deque()
        self._done: deque[Asked] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False
        #: Calls that were added and not yet taken.
        self.count = 0
        self.bytes = 0

    def add(self, record: Record, future: asyncio.Future[Outcome], asked_s: float) -> None:
        """Take a call that was just made."""
        asked = Asked(record, future, asked_s)
        self.count += 1
        self.bytes += record.size_bytes
        if self._is_ordered:
            self._asked.append(asked)
            self._changed.set()
        else:
            future.add_done_callback(lambda _: self._note_done(asked))

    def close(self) -> None:
        """Nothing will be added any more."""
        self._is_closed = True
        self._changed.set()

    async def take(self) -> list[Asked]:
        """Wait for answered calls and return all that may be written now; none: the window is closed and empty."""
        while not (taken := self.take_done()):
            if not self.count and self._is_closed:
                return []
            if self._asked:
                # Not awaited itself: whoever cancels the waiting would cancel the call.
                await asyncio.wait((self._asked[0].future,))
            else:
                self._changed.clear()
                await self._changed.wait()
        return taken

    def take_done(self) -> list[Asked]:
        """Return, without waiting, what may be written now."""
        taken = self._ordered_done() if self._is_ordered else list(self._done)
        self._done.clear()
        self.count -= len(taken)
        self.bytes -= sum(asked.record.size_bytes for asked in taken)
        return taken

    def _ordered_done(self) -> list[Asked]:
        taken = []
        while self._asked and self._asked[0].future.done() and not self._asked[0].future.cancelled():
            taken.append(self._asked.popleft())
        return taken

    def _note_done(self, asked: Asked) -> None:
        if not asked.future.cancelled():
            self._done.append(asked)
            self._changed.set()
