"""Auth checks through the pool: their cost over plain calls, a large table, slow hashes; beside a real Dovecot 2.3.

Run by `python -m bench auth`. Absolute figures suffer from whatever else the machine does, so each load runs several
times and the best run counts, ours and the peer's alike.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop

from bench import dovecot
from bench.auth_scripts import (
    BCRYPT,
    SHA512_CRYPT,
    TABLE,
    TABLE_SOURCE,
    TABLE_USERS,
    TRIVIAL,
    Login,
    login,
    table_login,
)
from bench.check import FUNCTION, is_correct
from bench.closed_loop import closed_loop
from bench.measure import Meter
from bench.report import Report, Row
from dispatcher.auth import Auth
from dispatcher.auth_guard import guarded_auth
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import (
    AuthSettings,
    DispatchSettings,
    LogSettings,
    PoolSettings,
    RedisSettings,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis import Redis

    from dispatcher.catalog import Script

#: Workers of each system.
WORKERS: Final = 2
#: Runs of each load; the best one counts.
RUNS: Final = 3

#: In flight where the rate is measured, and where the times are.
MANY, SOME, FEW = 1024, 128, 8

#: Checks of a run, and of the one before it that loads scripts and makes connections.
CHECKS: Final = 40_000
WARM_UP: Final = 2_000
#: Checks of a run with slow hashes; a few milliseconds each.
HASHES: Final = 1_200
#: bcrypt checks of cost 12 that run while trivial ones are measured.
BCRYPTS: Final = 64
#: Dovecot's checks of the table, 10 to 20 ms each.
PEER_CHECKS: Final = 300

#: Beyond any of these calls, in seconds.
DEADLINE_S: Final = 120.0


@dataclass(frozen=True)
class _Bench:
    """What the measurements share."""

    dispatcher: AsyncDispatcher
    auth: Auth
    redis: Redis

    async def plain(self, number: int) -> None:
        """Make a plain call with the arguments of an auth check."""
        one = login(number)
        outcome = await self.dispatcher.call(TRIVIAL, FUNCTION, _request(one), one.password, idempotent=True)
        if not is_correct(number, outcome.values):
            message = f"check {number} was answered wrongly: {outcome}"
            raise AssertionError(message)

    def verify(self, script: Script, logins: Callable[[int], Login]) -> Callable[[int], Awaitable[None]]:
        """Make a function that does the n-th check."""

        async def ask(number: int) -> None:
            one = logins(number)
            one.check(await self.auth.verify(script, _request(one), one.password))

        return ask

    async def measure(self, load: str, ask: Callable[[int], Awaitable[None]], in_flight: int, total: int) -> Row:
        """Run a load once."""
        meter = Meter(self.redis, "lualoft", load)
        await closed_loop(ask, in_flight, total, meter.latencies_s)
        return meter.row()


def _request(one: Login) -> dict[str, str]:
    return {"user": one.user, "protocol": "imap", "remote_ip": "192.0.2.7"}


def run() -> Report:
    """Run all loads on one embedded server; then the peer, if Debian's Dovecot is installed."""
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=WORKERS),
            # Dovecot does not write a line for every wrong password either, unless it is told to.
            log=LogSettings(level="warning"),
        )
        one = msgspec.structs.replace(
            settings, pool=PoolSettings(workers=1), dispatch=DispatchSettings(queue="one-worker")
        )
        with LocalPool(settings), LocalPool(one):
            rows = uvloop.run(_measure(settings, one))
    if dovecot.is_there():
        rows.append(_measure_dovecot())
    return Report("auth", rows, _ratios({(row.who, row.load): row for row in rows}))


async def _measure(settings: Settings, one: Settings) -> list[Row]:
    redis = connect_sync(settings.redis)
    async with AsyncDispatcher(settings) as dispatcher, AsyncDispatcher(one) as lone_dispatcher:
        bench = _Bench(dispatcher, Auth(dispatcher, deadline_s=DEADLINE_S), redis)
        lone = _Bench(lone_dispatcher, Auth(lone_dispatcher, deadline_s=DEADLINE_S), redis)
        return [
            *await _measure_cost(bench, settings),
            *await _measure_table(bench),
            *await _measure_hashes(bench, lone),
            *await _best_of_each(lambda: _beside_bcrypt(bench)),
        ]


async def _measure_cost(bench: _Bench, settings: Settings) -> list[Row]:
    trivial = bench.verify(TRIVIAL, login)
    guarded = msgspec.structs.replace(settings, auth=AuthSettings(single_flight=True))
    async with guarded_auth(bench.dispatcher, guarded, deadline_s=DEADLINE_S) as auth:

        async def single(number: int) -> None:
            one = login(number)
            one.check(await auth.verify(TRIVIAL, {**_request(one), "session": f"s{number}"}, one.password))

        async def storm(_number: int) -> None:
            one = login(0)
            one.check(await auth.verify(TRIVIAL, _request(one), one.password))

        for ask in (bench.plain, trivial, single, storm):
            await closed_loop(ask, MANY, WARM_UP, [])
        return await _best_of_each(
            lambda: bench.measure(f"plain calls, {MANY:,} in flight", bench.plain, MANY, CHECKS),
            lambda: bench.measure(f"trivial auth, {MANY:,} in flight", trivial, MANY, CHECKS),
            lambda: bench.measure(f"single_flight, no two alike, {MANY:,} in flight", single, MANY, CHECKS),
            lambda: bench.measure(f"single_flight, one guess, {MANY:,} in flight", storm, MANY, CHECKS),
        )


async def _measure_table(bench: _Bench) -> list[Row]:
    table = bench.verify(TABLE, table_login)
    await closed_loop(table, MANY, WARM_UP, [])
    return await _best_of_each(
        lambda: bench.measure(f"{TABLE_USERS:,} users, {MANY:,} in flight", table, MANY, CHECKS),
        lambda: bench.measure(f"{TABLE_USERS:,} users, {SOME} in flight", table, SOME, CHECKS // 2),
    )


async def _measure_hashes(bench: _Bench, lone: _Bench) -> list[Row]:
    two, one = (each.verify(SHA512_CRYPT, login) for each in (bench, lone))
    for ask in (two, one):
        await closed_loop(ask, SOME, SOME, [])
    return await _best_of_each(
        lambda: bench.measure("SHA512-CRYPT, 2 workers", two, SOME, HASHES),
        lambda: lone.measure("SHA512-CRYPT, 1 worker", one, SOME, HASHES),
    )


async def _beside_bcrypt(bench: _Bench) -> Row:
    """Trivial checks while bcrypt checks run, from the first one's start to the last one's end."""
    slow = bench.verify(BCRYPT, login)
    bcrypts = asyncio.gather(*(slow(number) for number in range(BCRYPTS)))
    ask = bench.verify(TRIVIAL, login)
    meter = Meter(bench.redis, "lualoft", "trivial auth beside 64 bcrypt checks")

    async def caller() -> None:
        number = 0
        while not bcrypts.done():
            asked_s = time.perf_counter()
            await ask(number)
            meter.latencies_s.append(time.perf_counter() - asked_s)
            number += 1

    await asyncio.gather(*(caller() for _ in range(FEW)))
    await bcrypts
    return meter.row()


async def _best_of_each(*loads: Callable[[], Awaitable[Row]]) -> list[Row]:
    """Run the loads in turn, so that all see the same machine; returns the best rate and the best times of each."""
    runs = [[await load() for load in loads] for _ in range(RUNS)]
    return [
        replace(
            max(rows, key=lambda row: row.rate_per_s),
            p50_ms=min(row.p50_ms for row in rows),
            p99_ms=min(row.p99_ms for row in rows),
        )
        for rows in zip(*runs, strict=True)
    ]


def _measure_dovecot() -> Row:
    """Run the table script in the real Dovecot."""
    with dovecot.DovecotPeer(TABLE_SOURCE, WORKERS) as peer:
        peer.run_load(table_login, SOME, SOME, [])
        latencies_s: list[float] = []
        start_s = time.perf_counter()
        peer.run_load(table_login, SOME, PEER_CHECKS, latencies_s)
        wall_s = time.perf_counter() - start_s
    ordered = sorted(latencies_s)
    return Row(
        load=f"{TABLE_USERS:,} users, {SOME} in flight",
        who="Dovecot 2.3",
        rate_per_s=PEER_CHECKS / wall_s,
        p50_ms=ordered[PEER_CHECKS // 2] * 1000,
        p99_ms=ordered[PEER_CHECKS * 99 // 100] * 1000,
    )


def _ratios(rows: dict[tuple[str, str], Row]) -> dict[str, float]:
    def rate(load: str, who: str = "lualoft") -> float:
        return rows[who, load].rate_per_s

    many = f"{MANY:,} in flight"
    ratios = {
        "rate, trivial auth / plain calls": rate(f"trivial auth, {many}") / rate(f"plain calls, {many}"),
        "rate, single_flight with no two checks alike / without": rate(f"single_flight, no two alike, {many}")
        / rate(f"trivial auth, {many}"),
        "rate of SHA512-CRYPT, 2 workers / 1": rate("SHA512-CRYPT, 2 workers") / rate("SHA512-CRYPT, 1 worker"),
    }
    table = f"{TABLE_USERS:,} users, {SOME} in flight"
    if ("Dovecot 2.3", table) in rows:
        ratios["rate, 100,000 users, lualoft / Dovecot 2.3"] = rate(table) / rate(table, "Dovecot 2.3")
    return ratios
