"""What an engine could run now, and in which order.

The engine's own, used on its thread only. The order is fair: of each kind (answers of operations, calls that waited
outside a full script, new calls) a few per turn, and of those that compute for long one slice per turn, so that neither
a flood of new calls nor a few busy ones keep the others waiting.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dispatcher.protocol.invocation import Invocation
    from workers.instances import Instance
    from workers.tasks import Task
    from workers.work import TakenChunk

_Item = TypeVar("_Item")

#: Of each kind per turn. A turn of trivial calls takes less than a millisecond.
TURN_COUNT: Final = 32


class Finished(NamedTuple):
    """An operation's results."""

    token: int
    values: tuple[Any, ...]


class Interrupted(NamedTuple):
    """A call in the middle of computing."""

    task: Task
    coroutine: object


class Ready:
    """Four queues."""

    def __init__(self) -> None:
        self._finished: deque[Finished] = deque()
        self._roomy: deque[Instance] = deque()
        self._fresh: deque[tuple[Invocation, TakenChunk]] = deque()
        self._interrupted: deque[Interrupted] = deque()

    def __bool__(self) -> bool:
        """Is there anything to run?"""
        return bool(self._finished or self._roomy or self._fresh or self._interrupted)

    def add_finished(self, finished: Finished) -> None:
        """Add results that a parked call waits for."""
        self._finished.append(finished)

    def add_chunk(self, chunk: TakenChunk) -> None:
        """Add the invocations of a chunk."""
        self._fresh.extend([(invocation, chunk) for invocation in chunk.invocations])

    def add_roomy(self, instance: Instance) -> None:
        """Add an instance that has room for one more of those who wait outside it."""
        self._roomy.append(instance)

    def add_interrupted(self, task: Task, coroutine: object) -> None:
        """Add a call whose time slice is over."""
        self._interrupted.append(Interrupted(task, coroutine))

    def take_finished(self) -> Iterator[Finished]:
        """Take this turn's results."""
        return _take(self._finished)

    def take_roomy(self) -> Iterator[Instance]:
        """Take this turn's instances with room."""
        return _take(self._roomy)

    def take_fresh(self) -> Iterator[tuple[Invocation, TakenChunk]]:
        """Take this turn's new invocations."""
        return _take(self._fresh)

    def take_interrupted(self) -> Interrupted | None:
        """Take the call whose slice is due."""
        return self._interrupted.popleft() if self._interrupted else None


def _take(items: deque[_Item]) -> Iterator[_Item]:
    for _ in range(min(TURN_COUNT, len(items))):
        yield items.popleft()
