"""DNS lookups of scripts: 500 in flight in one worker, against a local server that answers at once; no cache.

Run by `python -m bench dns`. The peer is dnspython's own asynchronous resolver, in a process without queue and Lua,
asking the same server for the same names and both address families.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import dns.asyncresolver
import uvloop

from bench.dns_answers import ADDRESS
from bench.measure import Meter
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DnsSettings, PoolSettings, RedisSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis import Redis

#: Lookups that wait at once.
IN_FLIGHT: Final = 500

#: Lookups of ours and of the peer: a few seconds each.
TOTAL: Final = 10_000
PEER_TOTAL: Final = 2_000

#: Lookups before measuring: the script is loaded, sockets are open.
WARM_UP: Final = 500

SOURCE: Final = b"function lookup(client, name) return client:lookup(name) end"
CLIENT: Final = {"$dns": True}


def run() -> Report:
    """Measure ours, then the peer, on one server each."""
    report = Report("dns")
    answers = subprocess.Popen([sys.executable, "-m", "bench.dns_answers"], stdout=subprocess.PIPE, text=True)
    assert answers.stdout is not None
    port = int(answers.stdout.readline())
    try:
        with EmbeddedServer() as server:
            settings = Settings(
                key=Secret(generate_key()),
                redis=RedisSettings(url=Secret(server.url)),
                pool=PoolSettings(workers=1),
                dns=DnsSettings(servers=[f"127.0.0.1:{port}"]),
            )
            redis = connect_sync(settings.redis)
            with LocalPool(settings):
                report.rows.append(uvloop.run(_run_ours(settings, redis)))
            report.rows.append(uvloop.run(_run_peer(port, redis)))
    finally:
        answers.kill()
        answers.communicate()
    ours, theirs = report.rows
    report.ratios[f"rate, {IN_FLIGHT} in flight"] = ours.rate_per_s / theirs.rate_per_s
    return report


async def _run_ours(settings: Settings, redis: Redis) -> Row:
    script = Script.from_stream("dns", SOURCE)
    async with AsyncDispatcher(settings) as dispatcher:

        async def look_up(name: str) -> object:
            return (await dispatcher.call(script, "lookup", CLIENT, name)).values

        await _closed_loop(look_up, [[ADDRESS.encode()]], WARM_UP, [])
        meter = Meter(redis, "lualoft", f"{IN_FLIGHT} in flight")
        await _closed_loop(look_up, [[ADDRESS.encode()]], TOTAL, meter.latencies_s)
        return meter.row()


async def _run_peer(port: int, redis: Redis) -> Row:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port

    async def look_up(name: str) -> object:
        return list((await resolver.resolve_name(name)).addresses())

    await _closed_loop(look_up, [ADDRESS], WARM_UP, [])
    meter = Meter(redis, "dnspython's resolver", f"{IN_FLIGHT} in flight")
    await _closed_loop(look_up, [ADDRESS], PEER_TOTAL, meter.latencies_s)
    return meter.row()


async def _closed_loop(
    look_up: Callable[[str], Awaitable[object]], expected: object, total: int, latencies_s: list[float]
) -> None:
    """`IN_FLIGHT` callers look a name up, wait for the answer, look the next one up; every name once."""
    numbers = iter(range(total))

    async def caller() -> None:
        for number in numbers:
            asked_s = time.perf_counter()
            found = await look_up(f"host{number}.example.org")
            latencies_s.append(time.perf_counter() - asked_s)
            if found != expected:
                message = f"lookup {number} was answered wrongly: {found}"
                raise AssertionError(message)

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
