"""Identical calls that are in flight at the same time share one invocation.

`dispatcher.auth` uses it for checks: a storm of the same guess costs the pool one run. Nothing is kept once the outcome
is there, so no verdict is ever older than a call that waits for it. Of the arguments only a keyed hash is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from dispatcher.protocol.codec import encode_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dispatcher.protocol.outcome import Outcome


class SingleFlight:
    """The calls in flight of one dispatcher."""

    def __init__(self) -> None:
        self._hash_key = secrets.token_bytes(32)
        self._in_flight: dict[bytes, asyncio.Future[Outcome]] = {}

    def __len__(self) -> int:
        return len(self._in_flight)

    async def call(
        self, what: Sequence[str | bytes], args: Sequence[Any], submit: Callable[[], asyncio.Future[Outcome]]
    ) -> Outcome:
        """Return the outcome of the identical call that is in flight, or make the call.

        Whoever joins a call shares its deadline too, which is at most as far away as that of a new one.

        Args:
            what: names what is called: script, function, queue.
            args: compared by what would travel.
            submit: makes the call.

        Raises:
            ArgumentError: an argument cannot travel.
        """
        digest = hashlib.blake2b(encode_arguments([*what, *args]), key=self._hash_key).digest()
        future = self._in_flight.get(digest)
        if future is None:
            future = self._in_flight[digest] = submit()
            future.add_done_callback(lambda _future: self._in_flight.pop(digest, None))
        # Shielded: one caller that gives up must not end the call of the others.
        return await asyncio.shield(future)
