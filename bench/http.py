"""Scripts that POST to a web service which answers after 200 ms, and what slow or busy calls do to the others.

Run by `python -m bench http`. The peer is a real Dovecot 2.3 with 30 auth workers and the same script, where it is
installed (`apt-get install dovecot-core dovecot-auth-lua`, as root).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvloop

from bench import dovecot
from bench.auth_scripts import Login
from bench.measure import Meter, children_of, resident_mib
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import EngineSettings, PoolSettings, RedisSettings, ScriptSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from redis import Redis

#: Auth workers of Dovecot: its default for `auth_worker_max_count`.
DOVECOT_WORKERS: Final = 30

#: Logins in flight -> logins of ours: a few seconds each.
LOADS: Final = {200: 5_000, 1_000: 15_000}

#: Logins of Dovecot in flight, and in all.
DOVECOT_IN_FLIGHT: Final = 200
DOVECOT_TOTAL: Final = 1_000

_LOGIN: Final = Login("ada", "secret", is_right=True)

#: Of the mixed loads: calls in flight, calls.
MIXED_IN_FLIGHT: Final = 100
MIXED_TOTAL: Final = 4_000

#: One call in so many hangs for ten seconds.
HANG_EVERY: Final = 100

#: Written for Dovecot 2.3; `busy` computes for 50 ms of processor time.
SOURCE: Final = """
local client = dovecot.http.client { request_timeout_msecs = 20000 }

local function post(path, payload)
   local request = client:request { url = "http://127.0.0.1:PORT" .. path, method = "POST" }
   request:set_payload(payload)
   return request:submit():status()
end

function auth_password_verify(request, password)
   if post("/", "user=" .. request.user) == 200 then
      return dovecot.auth.PASSDB_RESULT_OK, {}
   end
   return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "no answer"
end

function hang() return post("/hang", "x") end

function busy()
   local ends = os.clock() + 0.05
   while os.clock() < ends do end
   return 200
end

function check(user) return post("/", "user=" .. user) end
"""


def run() -> Report:
    """Measure ours, then the same script in Dovecot."""
    report = Report("http")
    with _backend() as port, EmbeddedServer() as server:
        source = SOURCE.replace("PORT", str(port))
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=2),
            engine=EngineSettings(max_operations=600),
        )
        redis = connect_sync(settings.redis)
        with LocalPool(settings) as pool:
            uvloop.run(_run_ours(settings, source, redis, pool.pid, report))
        _run_dovecot(source, report)
    return report


@contextmanager
def _backend() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "bench.http_backend"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def _run_ours(settings: Settings, source: str, redis: Redis, pool_pid: int, report: Report) -> None:
    script = Script.from_stream("http", source.encode(), ScriptSettings(dialect="2.3"))
    async with AsyncDispatcher(settings) as dispatcher:

        async def check(_number: int, function: str = "check", *args: object) -> None:
            outcome = await dispatcher.call(script, function, *(args or ("ada",)), deadline_s=30, idempotent=True)
            assert outcome.values == [200], outcome.error

        for in_flight, total in LOADS.items():
            await _closed_loop(check, in_flight, in_flight, [])
            meter = Meter(redis, "lualoft", f"{in_flight} in flight")
            await _closed_loop(check, in_flight, total, meter.latencies_s)
            row = meter.row()
            rss_mib = max(resident_mib(pid) for pid in children_of(pool_pid))
            report.rows.append(Row(**{**row.__dict__, "rss_mib": rss_mib}))
        await _run_mixed(check, redis, report)


async def _run_mixed(check: Callable[..., Awaitable[None]], redis: Redis, report: Report) -> None:
    """What the other calls notice: of one in a hundred that hangs, of one in a hundred that computes."""
    alone = Meter(redis, "lualoft", f"{MIXED_IN_FLIGHT} in flight")
    await _closed_loop(check, MIXED_IN_FLIGHT, MIXED_TOTAL, alone.latencies_s)
    report.rows.append(alone.row())

    hanging: list[asyncio.Future[None]] = []

    async def with_hangs(number: int) -> None:
        if number % HANG_EVERY == 0:
            hanging.append(asyncio.ensure_future(check(number, "hang")))
        await check(number)

    beside_hangs = Meter(redis, "lualoft", "the same beside 1 % that hang for 10 s")
    await _closed_loop(with_hangs, MIXED_IN_FLIGHT, MIXED_TOTAL, beside_hangs.latencies_s)
    report.rows.append(beside_hangs.row())
    await asyncio.gather(*hanging)

    is_over = asyncio.Event()

    async def one_busy() -> None:
        while not is_over.is_set():
            await check(0, "busy")

    beside_busy = Meter(redis, "lualoft", "the same beside one that computes 50 ms")
    busy = asyncio.create_task(one_busy())
    await _closed_loop(check, MIXED_IN_FLIGHT, MIXED_TOTAL, beside_busy.latencies_s)
    report.rows.append(beside_busy.row())
    is_over.set()
    await busy
    rows = report.rows[-3:]
    report.ratios["p99 beside hanging calls"] = rows[1].p99_ms / rows[0].p99_ms
    report.ratios["p99 beside a busy call, ms more"] = rows[2].p99_ms - rows[0].p99_ms


async def _closed_loop(
    check: Callable[[int], Awaitable[None]], in_flight: int, total: int, latencies_s: list[float]
) -> None:
    """`in_flight` callers ask, wait for the answer, ask again."""
    numbers = iter(range(total))

    async def caller() -> None:
        for number in numbers:
            asked_s = time.perf_counter()
            await check(number)
            latencies_s.append(time.perf_counter() - asked_s)

    await asyncio.gather(*(caller() for _ in range(in_flight)))


def _run_dovecot(source: str, report: Report) -> None:
    if not dovecot.is_there():
        sys.stderr.write("no real Dovecot beside: not installed, or not root\n")
        return
    latencies_s: list[float] = []
    with dovecot.DovecotPeer(source.encode(), DOVECOT_WORKERS) as peer:
        peer.run_load(lambda _number: _LOGIN, DOVECOT_IN_FLIGHT, DOVECOT_IN_FLIGHT, [])
        began_s = time.perf_counter()
        peer.run_load(lambda _number: _LOGIN, DOVECOT_IN_FLIGHT, DOVECOT_TOTAL, latencies_s)
        rate = DOVECOT_TOTAL / (time.perf_counter() - began_s)
    p50_ms = sorted(latencies_s)[len(latencies_s) // 2] * 1000
    load = f"{DOVECOT_IN_FLIGHT} in flight"
    report.rows.append(Row(load, f"Dovecot 2.3, {DOVECOT_WORKERS} workers", rate, p50_ms))
    report.ratios[f"rate, {load}, to Dovecot"] = report.rows[0].rate_per_s / rate
