"""AsyncDispatcher: calls functions of scripts on the pool and resolves their futures.

The heart of the dispatcher side; the CLI, the gateways and the blocking `Dispatcher` use it. Everything here runs on
one event loop, so no lock is needed. It never decides what an outcome means.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from dispatcher.asked import Asked, AskedCalls, HeldCall
from dispatcher.catalog import Catalog, Script
from dispatcher.coalescer import Coalescer, Pending, Slot
from dispatcher.deadlines import BUCKET_S, Deadlines
from dispatcher.link import Link
from dispatcher.mapping import map_calls
from dispatcher.protocol.codec import CHUNK_ENVELOPE_BYTES, encode_invocation
from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.invocation import Invocation, normalise_arguments
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.protocol.rq_job import check_queue_name
from dispatcher.sender import Outgoing

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
    from types import TracebackType

    from dispatcher.protocol.settings import Settings

#: Bytes of a dispatcher's random id: two never meet.
ID_BYTES: Final = 9

#: Seconds that a chunk stays in Redis after its last deadline.
KEEP_AFTER_DEADLINE_S: Final = 60

#: The longest deadline in seconds, as in the settings: a day.
MAX_DEADLINE_S: Final = 86_400.0

#: Ended calls that may wait to be sent before they are sorted out.
KEEP_SPARE: Final = 1000


class Call(NamedTuple):
    """One call of a `map`: what `call` takes, plus a tag that comes back with the outcome."""

    script: str | Script
    function: str
    args: Sequence[Any] = ()
    #: Anything of the caller's; it does not travel.
    tag: object = None


class AsyncDispatcher:
    """Calls script functions on the pool.

    Use it as an async context manager; one object serves any number of tasks of its event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.dispatch
        self._catalog = Catalog(settings)
        self._all_settings = settings
        self._ids = itertools.count(1)
        self._asked = AskedCalls(settings.dispatch)
        self._coalescers: dict[str, Coalescer] = {}
        self._dispatcher_id = secrets.token_hex(ID_BYTES)
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: Redis does not answer.
            SettingsError: the address or the key cannot be used.
        """
        if self._is_closed:
            raise RuntimeError("a dispatcher is entered once: make a new one")
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._expire)
        self._link = Link(self._all_settings, self._dispatcher_id, self)
        await self._link.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is still unanswered as `unavailable`, then disconnect."""
        self._is_closed = True
        self._deadlines.close()
        for call_id in self._asked.ids():
            self.end(call_id, OutcomeKind.UNAVAILABLE, "the dispatcher was closed before the outcome arrived")
        await self._link.close()

    @property
    def catalog(self) -> Catalog:
        """The scripts that are known by name."""
        return self._catalog

    @property
    def dispatcher_id(self) -> str:
        """Names this dispatcher and its reply stream; random."""
        return self._dispatcher_id

    @property
    def pending_count(self) -> int:
        """Calls without an outcome yet."""
        return len(self._asked)

    @property
    def waiting_count(self) -> int:
        """Invocations that wait to be sent."""
        return sum(len(coalescer) for coalescer in self._coalescers.values())

    async def call(
        self,
        script: str | Script,
        function: str,
        *args: Any,  # noqa: ANN401 - the values of `normalise_arguments`
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
    ) -> Outcome:
        """Call a function and wait for its outcome.

        Args:
            script: a name that the catalog knows, or a Script.
            function: a global function of the script.
            args: None, bool, 64-bit int, float, bytes, str, list, dict (str, bytes or int keys).
            deadline_s: seconds from now after which nobody waits any more; default `dispatch.deadline_s`.
            queue: default `dispatch.queue`.
            idempotent: may it run a second time when a worker dies?

        Raises:
            ScriptNotFoundError, ScriptUnreadableError, ArgumentError: the call cannot be made.
        """
        return await self.submit(script, function, args, deadline_s=deadline_s, queue=queue, idempotent=idempotent)

    def submit(  # noqa: PLR0913 - the choices of a call, and whose rules hold
        self,
        script: str | Script,
        function: str,
        args: Sequence[Any],
        *,
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
        host: str = "",
    ) -> asyncio.Future[Outcome]:
        """Like `call`, but return a future at once.

        It is already done past the cap, as `queue_full`, and once the dispatcher is closed, as `unavailable`.
        `host` is `Invocation.host`.
        """
        held = self.hold(script, function, args, deadline_s=deadline_s, queue=queue, idempotent=idempotent, host=host)
        held.send()
        return held.future

    def hold(  # noqa: PLR0913 - those of `submit`
        self,
        script: str | Script,
        function: str,
        args: Sequence[Any],
        *,
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
        host: str = "",
    ) -> HeldCall:
        """Like `submit`, but send nothing yet: the call may be told an outcome without having been sent."""
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a dispatcher belongs to the event loop in which it was entered")
        if not isinstance(function, str):
            raise ArgumentError(f"function must be a name as text, not {type(function).__name__}")
        found = script if isinstance(script, Script) else self._catalog.find(script)
        queue = queue or self._settings.queue
        coalescer = self._coalescer(queue)
        # Before anything is noted down: a call that cannot have a deadline would never leave the books again.
        wait_s = self._settings.deadline_s if deadline_s is None else _checked_deadline(deadline_s)
        call_id = next(self._ids)
        now_unix_s = time.time()
        invocation = Invocation(
            call_id,
            found.packed[0],
            function,
            normalise_arguments(args),
            now_unix_s + wait_s,
            now_unix_s,
            bool(idempotent),
            host,
        )
        pending = Pending(call_id, encode_invocation(invocation, self._settings.max_invocation_bytes))
        asked = Asked(self._loop.create_future(), pending, found.packed, queue, is_idempotent=bool(idempotent))
        refusal = self._closed(call_id) if self._is_closed else self._asked.refusal(pending)
        if refusal is not None:
            asked.future.set_result(refusal)
        else:
            self._asked.add(asked)
            asked.bucket = self._deadlines.add(call_id, self._loop.time() + wait_s)
        return HeldCall(call_id, asked.future, partial(coalescer.add, pending))

    def map(
        self,
        calls: Iterable[Call] | AsyncIterable[Call],
        *,
        ordered: bool = True,
        in_flight: int = 1024,
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
    ) -> AsyncIterator[tuple[Call, Outcome]]:
        """Make many calls with at most `in_flight` of them unanswered or unread at a time.

        Args:
            calls: taken from only as fast as outcomes are read, so memory stays bounded.
            ordered: give outcomes in the order of the calls; otherwise as they complete.
            in_flight: bound of calls that are made and not yet given out.
            deadline_s, queue, idempotent: as in `call`, for all of them.
        """

        def ask(call: Call) -> asyncio.Future[Outcome]:
            return self.submit(
                call.script, call.function, call.args, deadline_s=deadline_s, queue=queue, idempotent=idempotent
            )

        return map_calls(ask, calls, ordered=ordered, in_flight=in_flight)

    # What the link tells.

    def on_outcomes(self, outcomes: list[Outcome]) -> None:
        """Resolve the calls of these outcomes; the first outcome of an id wins, later ones are dropped."""
        for outcome in outcomes:
            if outcome.kind is OutcomeKind.UNAVAILABLE:
                # A worker says so of a script that Redis has lost (flushed, evicted) without our noticing.
                self._link.ship_again()
            self._resolve(outcome.invocation_id, outcome)

    def on_refusal(self, chunk_number: int, reason: str) -> None:
        """End the calls of a chunk that a worker could not open."""
        for call_id in self._asked.ids_in_chunk(chunk_number):
            self.end(call_id, OutcomeKind.REJECTED, f"a worker refused the chunk: {reason}")

    def on_written(self, chunk: Outgoing) -> None:
        """Let the chunk's slot come back in time."""
        self._coalescer(chunk.queue).written(chunk.slot)

    def on_lost_chunk(self, chunk: Outgoing, *, may_have_arrived: bool) -> None:
        """Take back a chunk whose write broke.

        If it may have been delivered, only idempotent calls are sent again; the others are left to be answered if they
        did arrive, and otherwise end at their deadline: running them twice would be worse.
        """
        coalescer = self._coalescer(chunk.queue)
        alive = self._asked.alive(chunk.invocations)
        coalescer.put_back([pending for pending, asked in alive if asked.is_idempotent or not may_have_arrived])
        # The slot comes after the chunk: the other way round, what waits behind it would overtake it.
        coalescer.release(chunk.slot)

    def on_refused_chunk(self, chunk: Outgoing, error: str) -> None:
        """End the calls of a chunk that Redis did not take."""
        for pending in chunk.invocations:
            self.end(pending.invocation_id, OutcomeKind.UNAVAILABLE, error)
        self._coalescer(chunk.queue).release(chunk.slot)

    def on_redis_away(self) -> None:
        """Stop sending."""
        for coalescer in self._coalescers.values():
            coalescer.pause()

    def on_redis_back(self) -> None:
        """Go on sending."""
        for coalescer in self._coalescers.values():
            coalescer.unpause()

    def on_worker_count(self, queue: str, workers: int) -> None:
        """Fit the number of chunks in flight to the workers that listen."""
        self._coalescer(queue).set_workers(workers)

    def end(self, call_id: int, kind: OutcomeKind, error: str) -> None:
        """End a call from this side."""
        self._resolve(call_id, Outcome(call_id, kind, error=error))

    def _resolve(self, call_id: int, outcome: Outcome) -> None:
        asked = self._asked.take(call_id)
        if asked is None:
            return
        self._deadlines.discard(call_id, asked.bucket)
        if asked.slot is not None:
            self._coalescers[asked.queue].answered(asked.slot)
        if not asked.future.done():
            asked.future.set_result(outcome)

    def _send(self, queue: str, chunk: list[Pending], slot: Slot) -> None:
        number = self._link.next_number()
        alive, last_bucket = [], 0
        packages: dict[bytes, bytes] = {}
        for pending, asked in self._asked.alive(chunk):
            asked.slot, asked.chunk_number = slot, number
            alive.append(pending)
            packages[asked.package[0]] = asked.package[1]
            last_bucket = max(last_bucket, asked.bucket)
        if not alive:
            self._coalescers[queue].release(slot)
            return
        # Nobody answers the others.
        slot.left = min(slot.left, len(alive))
        keep_s = int(last_bucket * BUCKET_S - self._loop.time()) + KEEP_AFTER_DEADLINE_S
        self._link.send(Outgoing(queue, number, alive, packages, slot, keep_s))

    def _expire(self, call_ids: set[int]) -> None:
        for call_id in call_ids:
            asked = self._asked.get(call_id)
            if asked is not None:
                kind, error = self._link.why_unanswered(asked.queue)
                self.end(call_id, kind, error)
        # While nothing can be sent, ended calls would pile up behind the pause.
        for coalescer in self._coalescers.values():
            if len(coalescer) > 2 * len(self._asked) + KEEP_SPARE:
                coalescer.keep(self._asked.__contains__)

    def _coalescer(self, queue: str) -> Coalescer:
        coalescer = self._coalescers.get(queue)
        if coalescer is None:
            check_queue_name(queue)
            coalescer = self._coalescers[queue] = Coalescer(
                lambda chunk, slot: self._send(queue, chunk, slot),
                max_invocations=self._settings.max_chunk_invocations,
                max_bytes=max(1, self._settings.max_chunk_bytes - CHUNK_ENVELOPE_BYTES),
                slot_return_s=self._settings.slot_return_ms / 1000,
            )
            if self._link.is_away:
                coalescer.pause()
            self._link.watch_queue(queue)
        return coalescer

    @staticmethod
    def _closed(call_id: int) -> Outcome:
        return Outcome(call_id, OutcomeKind.UNAVAILABLE, error="the dispatcher is closed")


def _checked_deadline(deadline_s: float) -> float:
    # Written so that NaN fails too. What has passed already is a deadline: the call ends at once.
    if not deadline_s <= MAX_DEADLINE_S:
        message = f"deadline_s must be a number of seconds, at most {MAX_DEADLINE_S:g}"
        raise ArgumentError(message)
    return max(deadline_s, 0.0)
