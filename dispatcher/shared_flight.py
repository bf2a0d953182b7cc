"""Checks in flight over all dispatchers together: the first one runs, and the others are told its outcome.

`dispatcher.single_flight` gives it calls that are held back. In Redis lies, under a keyed hash of the check, which call
leads; it is claimed again and again while it runs, so that a follower takes the lead soon after a leader has died. What
followers leave there is sealed for that check: nobody without the key can have an outcome sent to another call. What
cannot be claimed (Redis is away, slow, or holds rubbish) runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_follower, encode_follower, encode_outcomes
from dispatcher.protocol.connection import REDIS_ERRORS, connect_async
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.protocol.reply import OUTCOMES_FIELD, STREAM_EXPIRES_S
from dispatcher.protocol.sealing import Seal
from dispatcher.script_batch import ScriptBatch

if TYPE_CHECKING:
    from types import TracebackType

    from dispatcher.asked import HeldCall
    from dispatcher.protocol.settings import Settings

#: Seconds between two claims of a call.
CLAIM_EVERY_S: Final = 0.5

#: Milliseconds after which a flight that nobody leads any more is forgotten.
FLIGHT_MS: Final = 2_000

#: Followers that are told an outcome; one per dispatcher and flight is what there should be.
MAX_FOLLOWERS: Final = 1_000

#: Ends that say something about one call's way, not about the check: an identical call may end otherwise.
OWN_ENDS: Final = frozenset(
    {OutcomeKind.DEADLINE_EXCEEDED, OutcomeKind.UNAVAILABLE, OutcomeKind.QUEUE_FULL, OutcomeKind.REJECTED}
)

_TROUBLE: Final = "identical checks of several dispatchers run more than once at the moment"


class _Flight:
    """A call of this dispatcher that leads or follows."""

    __slots__ = ("claimed_s", "held", "is_asking", "is_leading", "key", "name", "request")

    def __init__(self, key: str, held: HeldCall, name: str, request: bytes) -> None:
        self.key = key
        self.held = held
        self.name = name
        self.request = request
        self.is_leading = False
        #: Is a claim under way?
        self.is_asking = False
        self.claimed_s = 0.0


class SharedFlights:
    """The checks in flight of one dispatcher, as the others see them; an async context manager."""

    def __init__(self, settings: Settings, dispatcher_id: str) -> None:
        """Set up without connecting.

        Args:
            settings: those of the dispatcher.
            dispatcher_id: names its reply stream.

        Raises:
            SettingsError: the address or the key cannot be used.
        """
        self._redis = connect_async(settings.redis, retry_count=0)
        self._seal = Seal.from_keys([settings.key.reveal()])
        self._dispatcher_id = dispatcher_id
        self._claims = ScriptBatch(self._redis, "flight_claim.lua", _TROUBLE)
        self._landings = ScriptBatch(self._redis, "flight_land.lua", _TROUBLE)
        self._tellings = ScriptBatch(self._redis, "flight_tell.lua", _TROUBLE)
        self._flights: set[_Flight] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._renewing = asyncio.create_task(self._claim_again_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what this dispatcher leads, tell who follows what has ended, disconnect."""
        self._renewing.cancel()
        await asyncio.wait([self._renewing])
        await self._claims.drain()
        for flight in self._flights:
            self._land(flight, None)
        for batch in (self._landings, self._tellings):
            await batch.drain()
        with contextlib.suppress(*REDIS_ERRORS):
            await self._redis.aclose()

    def fingerprint(self, check: bytes) -> bytes:
        """Return what stands for a check in Redis; the same for all dispatchers with the same first key."""
        return self._seal.fingerprint(b"flight", check)

    def take_off(self, fingerprint: bytes, held: HeldCall) -> None:
        """Send a call, or have it end with the outcome of an identical one that is in flight already.

        Redis: a script each when it takes off, every `CLAIM_EVERY_S` while it flies, when it lands, and per follower;
        all of one turn of the event loop in one round trip.
        """
        if held.future.done():
            return
        key = keys.flight(fingerprint)
        request = encode_follower(self._dispatcher_id, held.invocation_id)
        sealed = self._seal.seal(request, keys.flight_context(key))
        flight = _Flight(key, held, f"{self._dispatcher_id}:{held.invocation_id}", sealed)
        self._flights.add(flight)
        held.future.add_done_callback(lambda future: self._landed(flight, future.result()))
        self._claim(flight)

    def _claim(self, flight: _Flight) -> None:
        flight.claimed_s, flight.is_asking = self._loop.time(), True
        self._claims.ask((flight.key,), (flight.name, flight.request, FLIGHT_MS), partial(self._claimed, flight))

    def _claimed(self, flight: _Flight, answer: int | None) -> None:
        flight.is_asking = False
        if flight not in self._flights:
            # It has ended meanwhile.
            if answer == 1:
                flight.is_leading = True
                self._land(flight, None)
            return
        flight.is_leading = answer == 1
        if answer != 0:
            flight.held.send()

    async def _claim_again_forever(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_EVERY_S / 2)
            due_s = self._loop.time() - CLAIM_EVERY_S
            for flight in self._flights:
                if flight.claimed_s <= due_s and not flight.is_asking:
                    self._claim(flight)

    def _landed(self, flight: _Flight, outcome: Outcome) -> None:
        self._flights.discard(flight)
        self._land(flight, None if outcome.kind in OWN_ENDS else outcome)

    def _land(self, flight: _Flight, outcome: Outcome | None) -> None:
        """End a flight; without an outcome its followers go on by themselves."""
        if flight.is_leading:
            flight.is_leading = False
            count = 0 if outcome is None else MAX_FOLLOWERS
            self._landings.ask((flight.key,), (flight.name, count), partial(self._tell, flight.key, outcome))

    def _tell(self, flight_key: str, outcome: Outcome | None, answer: list[bytes] | None) -> None:
        if outcome is None or not answer:
            return
        for request in answer[1::2]:
            try:
                follower = decode_follower(self._seal.unseal(request, keys.flight_context(flight_key)))
            except (SealError, CodecError):
                # Changed by somebody without the key; whoever wrote it first claims again.
                continue
            data = encode_outcomes([outcome.told_to(follower.invocation_id)])
            entry = self._seal.seal(data, keys.reply_context(follower.dispatcher_id))
            stream = keys.reply_stream(follower.dispatcher_id)
            self._tellings.ask((stream,), (OUTCOMES_FIELD, entry, STREAM_EXPIRES_S), _forget)


def _forget(_answer: object) -> None:
    """A follower that cannot be told claims again."""
