"""Runs one function over many records: from an input through the pool to an output, in bounded memory.

`lualoft batch` and `lualoft demo` make a BatchRun on their event loop. A record that cannot be called is reported in
its place and the rest goes on. Not built on `AsyncDispatcher.map`, which ends at the first call that cannot be made.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.batch_json import outcome_line, rejected_line
from dispatcher.batch_window import FIRST_IN_FLIGHT, MAX_IN_FLIGHT, Pace, Window
from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from dispatcher.batch_input import Record
    from dispatcher.batch_output import LineWriter
    from dispatcher.batch_window import Asked
    from dispatcher.catalog import Script
    from dispatcher.client import AsyncDispatcher

#: Bytes of input lines in flight at most; a single longer line still goes, alone.
MAX_IN_FLIGHT_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class BatchCall:
    """What is called for every record."""

    script: Script
    function: str
    #: Seconds that each call has, waiting included.
    deadline_s: float
    #: Default: `dispatch.queue`.
    queue: str | None = None
    #: May a call run a second time when its worker dies?
    is_idempotent: bool = True
    #: Write the outcomes in the order of the input; otherwise as they arrive.
    is_ordered: bool = True
    #: Calls in flight at the start; the pace then follows how fast they are answered.
    first_in_flight: int = FIRST_IN_FLIGHT
    max_in_flight: int = MAX_IN_FLIGHT


class BatchRun:
    """One run over one input."""

    def __init__(self, dispatcher: AsyncDispatcher, call: BatchCall, writer: LineWriter) -> None:
        """Set up without calling.

        Args:
            dispatcher: makes the calls.
            call: what is called.
            writer: takes the lines of the output.
        """
        self._dispatcher = dispatcher
        self._call = call
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._window = Window(is_ordered=call.is_ordered)
        self._pace = Pace(call.deadline_s, call.first_in_flight, call.max_in_flight)
        self._has_room = asyncio.Event()
        #: Written lines by outcome.
        self.counts: Counter[OutcomeKind] = Counter()
        #: Is told of each line that could not be called: (line, error).
        self.on_rejected: Callable[[int, str], None] = _ignore
        #: Is given each outcome just before its line is written.
        self.on_outcome: Callable[[Outcome], None] | None = None
        #: Is given each future of a call when the call is made.
        self.on_asked: Callable[[asyncio.Future[Outcome]], None] | None = None

    @property
    def line_count(self) -> int:
        """Lines that were written."""
        return self.counts.total()

    async def run(self, source: AsyncIterable[list[Record]]) -> None:
        """Call for every record and write every outcome.

        When it is cancelled, what is answered is still written, and the output ends with a whole line.

        Raises:
            InputError, OutputError, BrokenPipeError: the run cannot go on; what came before is written.
        """
        feeder = asyncio.ensure_future(self._feed(source))
        try:
            while taken := await self._window.take():
                await self._writer.write(self._lines(taken))
                now_s = self._loop.time()
                self._pace.note(now_s - taken[0].asked_s, now_s)
                self._has_room.set()
            await feeder
        finally:
            feeder.cancel()
            self._writer.close(self._lines(self._window.take_done()))

    async def _feed(self, source: AsyncIterable[list[Record]]) -> None:
        try:
            async for records in source:
                for record in records:
                    while not self._may_ask(record):
                        self._has_room.clear()
                        await self._has_room.wait()
                    self._window.add(record, self._ask(record), self._loop.time())
        finally:
            self._window.close()

    def _may_ask(self, record: Record) -> bool:
        window = self._window
        return not window.count or (
            window.count < self._pace.limit and window.bytes + record.size_bytes <= MAX_IN_FLIGHT_BYTES
        )

    def _ask(self, record: Record) -> asyncio.Future[Outcome]:
        error = record.error
        if not error:
            call = self._call
            try:
                future = self._dispatcher.submit(
                    call.script,
                    call.function,
                    record.args,
                    deadline_s=call.deadline_s,
                    queue=call.queue,
                    idempotent=call.is_idempotent,
                )
            except ArgumentError as exc:
                error = str(exc)
            else:
                if self.on_asked is not None:
                    self.on_asked(future)
                return future
        future = self._loop.create_future()
        future.set_result(Outcome(0, OutcomeKind.REJECTED, error=error))
        return future

    def _lines(self, taken: list[Asked]) -> bytes:
        lines = [self._line(asked.record, asked.future.result()) for asked in taken]
        return b"\n".join([*lines, b""])

    def _line(self, record: Record, outcome: Outcome) -> bytes:
        self.counts[outcome.kind] += 1
        if self.on_outcome is not None:
            self.on_outcome(outcome)
        # Invocations count from 1: this one was never made.
        if not outcome.invocation_id:
            self.on_rejected(record.line, outcome.error)
            return rejected_line(record.line, record.id, outcome.error)
        return outcome_line(record.line, record.id, outcome)


def _ignore(_line: int, _error: str) -> None:
    """Report nothing."""
