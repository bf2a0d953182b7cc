"""What sealing costs: its share of the processor time of a check, at 1,024 in flight. Part of `bench.chaos`.

There is no way to run without the seal, and a benchmark is no reason to make one. So a load is run and its processor
time taken; then as many messages of the same sizes as it had are sealed and opened, and timed alone. Where the
processor is the bound, as here, that share is what throughput loses.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from bench.check import FUNCTION, SOURCE, arguments, is_correct
from bench.closed_loop import closed_loop
from bench.measure import Meter
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.codec import encode_chunk, encode_invocation, encode_outcomes
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.invocation import Invocation, normalise_arguments
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.protocol.sealing import Seal, generate_key

if TYPE_CHECKING:
    from bench.report import Row
    from dispatcher.protocol.settings import Settings

IN_FLIGHT: Final = 1024
#: Checks of the load, and of the one before it that loads scripts and makes connections.
CHECKS: Final = 100_000
WARM_UP: Final = 2_000

#: Messages of each size that are sealed and opened alone.
ROUNDS: Final = 2_000

#: The commands that write a chunk and an entry of outcomes: so many calls of them, so many messages.
_CHUNK_COMMAND, _ENTRY_COMMAND = "cmdstat_rpush", "cmdstat_xadd"

_LIMIT_BYTES: Final = 1_000_000


def measure(settings: Settings) -> tuple[list[Row], dict[str, float]]:
    """Run the load on a pool of its own; returns its row and the seal's share."""
    with LocalPool(settings):
        row, chunks, entries = asyncio.run(_run_load(settings))
    seal_us = (
        _seal_us(_chunk(CHECKS // chunks)) * chunks / CHECKS + _seal_us(_entry(CHECKS // entries)) * entries / CHECKS
    )
    return [row], {"sealing, us of processor time per check": seal_us, "sealing, share of it": seal_us / row.cpu_us}


async def _run_load(settings: Settings) -> tuple[Row, int, int]:
    script = Script.from_stream("check", SOURCE)
    redis = connect_sync(settings.redis)

    def calls_of(command: str) -> int:
        stats: Any = redis.info("commandstats")
        return int(stats.get(command, {"calls": 0})["calls"])

    async with AsyncDispatcher(settings) as dispatcher:

        async def ask(number: int) -> None:
            outcome = await dispatcher.call(script, FUNCTION, *arguments(number), idempotent=True)
            if not is_correct(number, outcome.values):
                message = f"check {number} was answered wrongly: {outcome}"
                raise AssertionError(message)

        await closed_loop(ask, IN_FLIGHT, WARM_UP, [])
        chunks, entries = calls_of(_CHUNK_COMMAND), calls_of(_ENTRY_COMMAND)
        meter = Meter(redis, "lualoft", f"{IN_FLIGHT:,} in flight, sealed")
        await closed_loop(ask, IN_FLIGHT, CHECKS, meter.latencies_s)
        row = meter.row()
    return row, calls_of(_CHUNK_COMMAND) - chunks, calls_of(_ENTRY_COMMAND) - entries


def _chunk(count: int) -> bytes:
    """Encode a chunk of so many checks."""
    package_id = bytes(32)
    now_s = time.time()
    invocations = [
        Invocation(
            number, package_id, FUNCTION, normalise_arguments(arguments(number)), now_s, now_s, is_idempotent=True
        )
        for number in range(count)
    ]
    return encode_chunk("lualoft:reply:0", [encode_invocation(one, _LIMIT_BYTES) for one in invocations])


def _entry(count: int) -> bytes:
    """Encode the outcomes of so many checks."""
    return encode_outcomes(
        [Outcome(number, OutcomeKind.OK, values=[1.0, {b"user": b"ada"}]) for number in range(count)]
    )


def _seal_us(data: bytes) -> float:
    """Seal and open a message; returns the processor time of both."""
    key = generate_key()
    sealer, opener = Seal.from_keys([key]), Seal.from_keys([key])
    opener.unseal(sealer.seal(data, b"context"), b"context")
    start_s = time.process_time()
    for _ in range(ROUNDS):
        opener.unseal(sealer.seal(data, b"context"), b"context")
    return (time.process_time() - start_s) / ROUNDS * 1e6
