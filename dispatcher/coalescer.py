"""Turns a stream of invocations into chunks: at once while idle, in large chunks while busy.

One per queue inside an AsyncDispatcher, on its event loop; it knows nothing of Redis or futures. A chunk goes out only
with a free send slot. A slot comes back when most of its chunk has been answered, or a few milliseconds after it was
written when the invocations wait for something, so that a chunk of slow calls never holds up the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: A slot comes back when this share of its chunk has been answered: the rest may be stragglers.
ANSWERED_SHARE: Final = 0.75

#: Slots per listening worker: one chunk runs while the next one waits at the door.
SLOTS_PER_WORKER: Final = 2

#: Workers that are counted on at most: whoever can write to Redis can have any number of them listed.
MAX_WORKERS: Final = 4096

#: Slots when few workers are known.
MIN_SLOTS: Final = 2


@dataclass(slots=True)
class Pending:
    """An encoded invocation that waits to be sent."""

    invocation_id: int
    data: bytes


@dataclass(slots=True, eq=False)
class Slot:
    """What one chunk in flight holds until enough of it is answered."""

    left: int
    timer: asyncio.TimerHandle | None = None
    is_free: bool = False
    #: Is most of the chunk still to be answered? By time a slot comes back before.
    is_open: bool = True


class Coalescer:
    """Gathers invocations of one queue and says when a chunk is to be sent."""

    def __init__(
        self,
        send: Callable[[list[Pending], Slot], None],
        *,
        max_invocations: int,
        max_bytes: int,
        slot_return_s: float,
    ) -> None:
        """Set up without sending.

        Args:
            send: is given each chunk and its slot; must not block.
            max_invocations: the largest chunk.
            max_bytes: the largest chunk's bytes; one invocation larger than that still goes out, alone.
            slot_return_s: this long after its chunk was written a slot comes back even when nothing was answered.
        """
        self._send = send
        self._max_invocations = max_invocations
        self._max_bytes = max_bytes
        self._slot_return_s = slot_return_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Pending] = deque()
        self._slots_taken = 0
        #: Chunks that are still to be answered for the most part, whether they hold a slot or not.
        self._open_count = 0
        self._slots = MIN_SLOTS
        self._is_pump_scheduled = False
        self._is_paused = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, pending: Pending) -> None:
        """Take an invocation; it is sent in this turn of the event loop when a slot is free."""
        self._waiting.append(pending)
        if not self._is_pump_scheduled:
            # Everything that is added in the same turn of the loop travels together.
            self._is_pump_scheduled = True
            self._loop.call_soon(self._pump)

    def put_back(self, chunk: list[Pending]) -> None:
        """Take a chunk back that could not be sent, in front of what waits."""
        self._waiting.extendleft(reversed(chunk))

    def keep(self, is_wanted: Callable[[int], bool]) -> None:
        """Forget what waits for calls that have ended meanwhile."""
        self._waiting = deque(pending for pending in self._waiting if is_wanted(pending.invocation_id))

    def written(self, slot: Slot) -> None:
        """Note that the slot's chunk is on its queue: from here on the slot may come back by time.

        Not before: while Redis stalls, each slot that came back would open one more connection, until there are no
        more to be had and calls are lost that could simply have waited.
        """
        if not slot.is_free:
            slot.timer = self._loop.call_later(self._slot_return_s, self._free, slot)

    def answered(self, slot: Slot) -> None:
        """Note that one invocation of the slot's chunk has its outcome."""
        slot.left -= 1
        if slot.left <= 0 and slot.is_open:
            self.release(slot)

    def release(self, slot: Slot) -> None:
        """Give the slot of a chunk back that is done with; a second time does nothing."""
        if slot.is_open:
            slot.is_open = False
            self._open_count -= 1
        self._free(slot)

    def _free(self, slot: Slot) -> None:
        if slot.is_free:
            return
        slot.is_free = True
        if slot.timer is not None:
            slot.timer.cancel()
        self._slots_taken -= 1
        if self._waiting and not self._is_pump_scheduled:
            self._is_pump_scheduled = True
            self._loop.call_soon(self._pump)

    def set_workers(self, workers: int) -> None:
        """Fit the number of slots to the workers that listen."""
        self._slots = max(MIN_SLOTS, min(workers, MAX_WORKERS) * SLOTS_PER_WORKER)

    def pause(self) -> None:
        """Send nothing until `unpause`: Redis is away."""
        self._is_paused = True

    def unpause(self) -> None:
        """Go on sending."""
        self._is_paused = False
        self._pump()

    def _pump(self) -> None:
        self._is_pump_scheduled = False
        while self._waiting and self._slots_taken < self._slots and not self._is_paused:
            # Split over the workers that may be idle: with everything in one chunk they would have nothing to do. Where
            # as many chunks as there are slots still run, nobody is, and what waits travels together.
            chunk = self._take_chunk(max(1, self._slots - self._open_count))
            slot = Slot(left=max(1, int(len(chunk) * ANSWERED_SHARE)))
            self._slots_taken += 1
            self._open_count += 1
            self._send(chunk, slot)

    def _take_chunk(self, share_count: int) -> list[Pending]:
        count = min(self._max_invocations, -(-len(self._waiting) // share_count))
        chunk = [self._waiting.popleft()]
        size_bytes = len(chunk[0].data)
        while len(chunk) < count:
            size_bytes += len(self._waiting[0].data)
            if size_bytes > self._max_bytes:
                break
            chunk.append(self._waiting.popleft())
        return chunk
