"""One dispatcher of the chaos benchmark, as a process of its own that may be killed; run by `bench.chaos_crowd`.

Standard input: the settings, then one line of JSON, `{"numbers": [...], "in_flight": n, "deadline_s": s}`. Standard
output: one record per answered call, written whole, so that a reader of a killed process misses the last ones at most.
"""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import time
from typing import Any, Final, NamedTuple

import uvloop

from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.errors import UnavailableError
from dispatcher.protocol.handoff import read_settings
from dispatcher.protocol.outcome import OutcomeKind

#: Each call has an answer of its own, so that one that went to the wrong caller shows.
SOURCE: Final = b"""
function check(number, password)
   if password ~= "secret" .. number then
      return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no"
   end
   return dovecot.auth.PASSDB_RESULT_OK, { user = "user" .. number }
end
"""

#: Number of the call, place of its kind in `KINDS`, whether the values are right, seconds from question to answer.
RECORD: Final = struct.Struct("<IB?f")

KINDS: Final = tuple(OutcomeKind)

#: Records per write: below PIPE_BUF, so a write is done whole or not at all.
RECORDS_PER_WRITE: Final = 256

#: Pause before a dispatcher that found no Redis is made again.
ENTER_AGAIN_S: Final = 0.05


class Answer(NamedTuple):
    """One record."""

    number: int
    kind: OutcomeKind
    is_right: bool
    took_s: float


def read_answers(data: bytes) -> list[Answer]:
    """Take whole records apart."""
    return [
        Answer(number, KINDS[kind], is_right, took_s) for number, kind, is_right, took_s in RECORD.iter_unpack(data)
    ]


def arguments(number: int) -> tuple[int, bytes]:
    """Return the arguments of a call: every third one has a wrong password."""
    return number, b"secret%d" % number if number % 3 else b"guess"


def is_right(number: int, values: list[Any]) -> bool:
    """Is this the answer to that call?"""
    return values == ([1.0, {b"user": b"user%d" % number}] if number % 3 else [0.0, b"no"])


class _Reporter:
    """Writes records, several at a time."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def add(self, *fields: object) -> None:
        self._records.append(RECORD.pack(*fields))
        if len(self._records) >= RECORDS_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        if self._records:
            os.write(sys.stdout.fileno(), b"".join(self._records))
            self._records.clear()


async def _ask_all(order: dict[str, Any], dispatcher: AsyncDispatcher) -> None:
    script = Script.from_stream("chaos", SOURCE)
    reporter = _Reporter()
    numbers = iter(order["numbers"])

    async def caller() -> None:
        for number in numbers:
            asked_s = time.monotonic()
            outcome = await dispatcher.call(
                script, "check", *arguments(number), deadline_s=order["deadline_s"], idempotent=True
            )
            took_s = time.monotonic() - asked_s
            reporter.add(number, KINDS.index(outcome.kind), is_right(number, outcome.values), took_s)

    await asyncio.gather(*(caller() for _ in range(order["in_flight"])))
    reporter.flush()


async def _main() -> None:
    settings = read_settings(sys.stdin.buffer)
    order = json.loads(sys.stdin.buffer.readline())
    while True:
        try:
            async with AsyncDispatcher(settings) as dispatcher:
                return await _ask_all(order, dispatcher)
        except UnavailableError:
            # A dispatcher is told at once that there is no Redis; ours may start while the server restarts.
            await asyncio.sleep(ENTER_AGAIN_S)


if __name__ == "__main__":
    uvloop.run(_main())
