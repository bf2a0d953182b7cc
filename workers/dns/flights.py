"""One lookup for all who ask for the same name at the same time, ended when none of them waits any more.

The resolver's own, used on the loop only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_Addresses = tuple[str, ...]


@dataclass(eq=False, slots=True)
class _Flight:
    task: asyncio.Task[_Addresses]
    #: Those who wait for it.
    passenger_count: int = 0


class Flights:
    """The lookups that are under way, by name."""

    def __init__(self, look_up: Callable[[bytes], Coroutine[Any, Any, _Addresses]]) -> None:
        """Set up; `look_up` finds the addresses of a name or raises."""
        self._look_up = look_up
        self._flights: dict[bytes, _Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def join(self, name: bytes) -> _Addresses:
        """Wait for the lookup of a name, which starts unless it is under way."""
        flight = self._flights.get(name)
        if flight is None:
            flight = self._flights[name] = _Flight(asyncio.create_task(self._look_up(name)))
            flight.task.add_done_callback(partial(self._land, name, flight))
        flight.passenger_count += 1
        try:
            # Shielded: it belongs to the others too.
            return await asyncio.shield(flight.task)
        finally:
            flight.passenger_count -= 1
            if not flight.passenger_count:
                # Forgotten at once: who comes before the task has ended must not board a flight that goes nowhere.
                self._forget(name, flight)
                flight.task.cancel()

    def _land(self, name: bytes, flight: _Flight, task: asyncio.Task[_Addresses]) -> None:
        self._forget(name, flight)
        if not task.cancelled():
            # It may have failed when nobody waited any more; asyncio would complain about an unseen exception.
            task.exception()

    def _forget(self, name: bytes, flight: _Flight) -> None:
        if self._flights.get(name) is flight:
            del self._flights[name]
