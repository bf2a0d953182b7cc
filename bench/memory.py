"""Memory of a worker: idle, after 50,000 calls, after 1,000,000; and of loaded and evicted scripts.

Run by `python -m bench memory`. There is no peer: RQ's own worker is measured idle beside ours.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import uvloop

from bench.check import FUNCTION, SOURCE, arguments, is_correct
from bench.measure import children_of, resident_mib
from bench.plain_rq import PlainRqPool
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher, Call
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Calls after which memory is compared with that of the end.
EARLY: Final = 50_000
#: Calls in all.
TOTAL: Final = 1_000_000
#: Calls in flight.
IN_FLIGHT: Final = 1024


def run() -> Report:
    """Run one worker through a million calls."""
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1),
        )
        with LocalPool(settings) as pool:
            (worker,) = children_of(pool.pid)
            rows = uvloop.run(_million_calls(settings, worker))
        with PlainRqPool(server.url, 1) as peer:
            rows.append(_row("idle", "plain RQ", peer.pids[0], 0.0))
    mib = {(row.who, row.load): row.rss_mib for row in rows}
    ratios = {
        "RSS after 1,000,000 calls / after 50,000": mib["lualoft", "1,000,000 calls"] / mib["lualoft", "50,000 calls"],
        "RSS idle / plain RQ idle": mib["lualoft", "idle"] / mib["plain RQ", "idle"],
    }
    return Report("memory", rows, ratios)


async def _million_calls(settings: Settings, worker: int) -> list[Row]:
    rows = [_row("idle", "lualoft", worker, 0.0)]
    async with AsyncDispatcher(settings) as dispatcher:
        for load, count in (("50,000 calls", EARLY), ("1,000,000 calls", TOTAL - EARLY)):
            start_s = time.perf_counter()
            async for call, outcome in dispatcher.map(_calls(count), in_flight=IN_FLIGHT, idempotent=True):
                if not is_correct(int(str(call.tag)), outcome.values):
                    message = f"check {call.tag} was answered wrongly: {outcome}"
                    raise AssertionError(message)
            rows.append(_row(load, "lualoft", worker, count / (time.perf_counter() - start_s)))
    return rows


def _calls(count: int) -> Iterator[Call]:
    script = Script.from_stream("check", SOURCE)
    return (Call(script, FUNCTION, arguments(number), number) for number in range(count))


def _row(load: str, who: str, pid: int, rate_per_s: float) -> Row:
    return Row(load=load, who=who, rate_per_s=rate_per_s, rss_mib=resident_mib(pid))
