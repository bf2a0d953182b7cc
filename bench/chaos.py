"""Nothing lost, nobody let down: workers, server and a dispatcher are killed under load; scripts attack; cold bursts.

Run by `python -m bench chaos`; the peer of each load is the same load in calm. What must be zero is among the facts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from bench import chaos_attacks, chaos_sealing
from bench.chaos_crowd import Crowd
from bench.chaos_storm import Storm, durable_server
from bench.check import FUNCTION, SOURCE, arguments, is_correct
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import LogSettings, PoolSettings, RedisSettings, Settings

if TYPE_CHECKING:
    from bench.chaos_storm import DurableServer

#: Workers, and dispatchers in processes of their own.
WORKERS: Final = 2
CLIENTS: Final = 2

#: Calls of each run: so many that several workers die in it, and 100,000 at the least.
CALLS: Final = 300_000
#: Calls in flight of each dispatcher.
IN_FLIGHT: Final = 512
DEADLINE_S: Final = 30.0

#: Both runs together take a minute; a run that takes so long has lost something.
RUN_LIMIT_S: Final = 300.0

#: Calls of the burst.
BURST: Final = 1_000


def run() -> Report:
    """Run everything on one server that keeps an append-only file."""
    report = Report("chaos")
    with durable_server() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=WORKERS, grace_s=5.0),
            # It kills workers every other second: what the pool has to say about that is known.
            log=LogSettings(level="error"),
        )
        _measure_storm(report, settings, server)
        _measure_burst(report, settings)
        for part in (chaos_attacks, chaos_sealing):
            rows, facts = part.measure(settings)
            report.rows.extend(rows)
            report.facts.update(facts)
    return report


def _measure_storm(report: Report, settings: Settings, server: DurableServer) -> None:
    with LocalPool(settings) as pool:
        before = _calm(settings)
        storm = Storm(server, pool.pid)
        with Crowd(settings, CLIENTS, CALLS, IN_FLIGHT, DEADLINE_S) as crowd:
            storm.rage(crowd, RUN_LIMIT_S)
            disturbed = _row("disturbed", crowd)
            report.facts.update(storm.counts | {f"calls {what}": count for what, count in crowd.counts().items()})
        # Before and after, and the better one counts: whatever else the machine does must not look like strength.
        calm = max(before, _calm(settings), key=lambda row: row.rate_per_s)
    report.rows.extend((calm, disturbed))
    report.ratios["rate, disturbed / undisturbed"] = disturbed.rate_per_s / calm.rate_per_s


def _calm(settings: Settings) -> Row:
    with Crowd(settings, CLIENTS, CALLS, IN_FLIGHT, DEADLINE_S) as crowd:
        crowd.wait(RUN_LIMIT_S)
        return _row("undisturbed", crowd)


def _row(load: str, crowd: Crowd) -> Row:
    took_s, latencies_s = crowd.took_s(), crowd.latencies_s()
    return Row(
        load=f"{CALLS:,} calls, {load}",
        who="lualoft",
        rate_per_s=len(latencies_s) / took_s,
        p50_ms=latencies_s[len(latencies_s) // 2] * 1000,
        p99_ms=latencies_s[len(latencies_s) * 99 // 100] * 1000,
    )


def _measure_burst(report: Report, settings: Settings) -> None:
    # A queue of its own: nobody has ever asked these workers anything.
    cold = msgspec.structs.replace(settings, dispatch=msgspec.structs.replace(settings.dispatch, queue="cold"))
    with LocalPool(cold):
        report.facts[f"cold burst of {BURST:,} calls, failed"] = asyncio.run(_burst(cold))


async def _burst(settings: Settings) -> int:
    script = Script.from_stream("check", SOURCE)
    async with AsyncDispatcher(settings) as dispatcher:
        calls = [dispatcher.submit(script, FUNCTION, arguments(number)) for number in range(BURST)]
        outcomes = await asyncio.gather(*calls)
    return sum(not is_correct(number, outcome.values) for number, outcome in enumerate(outcomes))
