"""Identical checks that are in flight at the same time share one invocation.

`dispatcher.auth` uses it: a storm of the same guess costs the pool one run, over any number of dispatchers
(`shared_flight`). Nothing is kept once the outcome is there, so no verdict is ever older than a call that waits for it.
Of the arguments only a keyed hash is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from dispatcher.protocol.codec import encode_arguments
from dispatcher.shared_flight import OWN_ENDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dispatcher.asked import HeldCall
    from dispatcher.protocol.outcome import Outcome
    from dispatcher.shared_flight import SharedFlights


class SingleFlight:
    """The checks in flight of one dispatcher."""

    def __init__(self, shared: SharedFlights, deadline_s: float) -> None:
        """Set up.

        Args:
            shared: entered already.
            deadline_s: of each check, from when it is asked for.
        """
        self._shared = shared
        self._deadline_s = deadline_s
        self._in_flight: dict[bytes, asyncio.Future[Outcome]] = {}

    def __len__(self) -> int:
        return len(self._in_flight)

    async def call(
        self, what: Sequence[str | bytes], args: Sequence[Any], hold: Callable[[float], HeldCall]
    ) -> Outcome:
        """Return the outcome of the identical check that is in flight, or make the check.

        A check in flight that ends for a reason of its own, as at its earlier deadline, is made anew for who joined it.

        Args:
            what: names what is called: script, function, queue.
            args: compared by what would travel.
            hold: makes the call, to be sent later; is given the seconds until its deadline.

        Raises:
            ArgumentError: an argument cannot travel.
        """
        fingerprint = self._shared.fingerprint(encode_arguments([*what, *args]))
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._deadline_s
        while True:
            future = self._in_flight.get(fingerprint)
            is_own = future is None
            if future is None:
                future = self._take_off(fingerprint, hold(ends_s - loop.time()))
            # Shielded: one caller that gives up must not end the check of the others.
            outcome = await asyncio.shield(future)
            if is_own or outcome.kind not in OWN_ENDS or loop.time() >= ends_s:
                return outcome

    def _take_off(self, fingerprint: bytes, held: HeldCall) -> asyncio.Future[Outcome]:
        self._in_flight[fingerprint] = held.future
        held.future.add_done_callback(lambda _future: self._in_flight.pop(fingerprint, None))
        self._shared.take_off(fingerprint, held)
        return held.future
