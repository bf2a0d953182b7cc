"""Trivial checks per second: the Python API, closed loop, sealed, two workers; beside plain RQ on the same server.

Run by `python -m bench throughput`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uvloop

from bench.check import FUNCTION, SOURCE, arguments, is_correct
from bench.closed_loop import closed_loop
from bench.measure import Meter
from bench.plain_rq import PlainRqPool, run_load
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings

if TYPE_CHECKING:
    from redis import Redis

#: Workers of each system.
WORKERS: Final = 2

#: Calls in flight -> (checks of ours, checks of plain RQ): a few seconds each.
LOADS: Final = {1: (2_000, 1_000), 64: (40_000, 2_000), 1024: (300_000, 3_000)}

#: Checks before measuring: scripts are loaded and connections made.
WARM_UP: Final = 2_000


def run() -> Report:
    """Run all loads on one embedded server, ours and the peer's in turn."""
    report = Report("throughput")
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=WORKERS),
        )
        redis = connect_sync(settings.redis)
        with LocalPool(settings):
            ours = uvloop.run(_run_ours(settings, redis))
        with PlainRqPool(server.url, WORKERS):
            theirs = _run_plain_rq(redis)
    for our_row, their_row in zip(ours, theirs, strict=True):
        report.rows.extend((our_row, their_row))
        report.ratios[f"rate, {our_row.load}"] = our_row.rate_per_s / their_row.rate_per_s
    report.ratios["p50, 1 in flight"] = ours[0].p50_ms / theirs[0].p50_ms
    return report


async def _run_ours(settings: Settings, redis: Redis) -> list[Row]:
    rows = []
    async with AsyncDispatcher(settings) as dispatcher:
        for in_flight, (total, _) in LOADS.items():
            await _closed_loop(dispatcher, in_flight, WARM_UP, [])
            meter = Meter(redis, "lualoft", f"{in_flight} in flight")
            await _closed_loop(dispatcher, in_flight, total, meter.latencies_s)
            rows.append(meter.row())
    return rows


async def _closed_loop(dispatcher: AsyncDispatcher, in_flight: int, total: int, latencies_s: list[float]) -> None:
    script = Script.from_stream("check", SOURCE)

    async def ask(number: int) -> None:
        outcome = await dispatcher.call(script, FUNCTION, *arguments(number), idempotent=True)
        if not is_correct(number, outcome.values):
            message = f"check {number} was answered wrongly: {outcome}"
            raise AssertionError(message)

    await closed_loop(ask, in_flight, total, latencies_s)


def _run_plain_rq(redis: Redis) -> list[Row]:
    rows = []
    for in_flight, (_, total) in LOADS.items():
        run_load(redis, in_flight, max(10, total // 20), Meter(redis, "", ""))
        meter = Meter(redis, "plain RQ", f"{in_flight} in flight")
        run_load(redis, in_flight, total, meter)
        rows.append(meter.row())
    return rows
