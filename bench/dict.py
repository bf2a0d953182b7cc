"""Dicts on Redis: lookups, commits and iterations, from the store and from Lua.

Run by `python -m bench dict`. A million keys lie in a private server; engine and operations of one worker run in this
process, so that its memory is the worker's. The peer is redis-py's own asynchronous client, one command after the other
in each task, as code without the store would use it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.dict_calls import LuaCalls
from bench.report import Report, Row
from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.connection import connect_async
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, RedisSettings
from workers.dict.factory import make_dictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workers.dict.dictionary import Dictionary

#: Things in flight at once.
IN_FLIGHT: Final = 256
#: redis-py's own limit of connections: it has one for each command in flight.
PEER_IN_FLIGHT: Final = 100
LOOKUPS: Final = 100_000
COMMITS: Final = 40_000
LUA_CALLS: Final = 20_000
CHANGES: Final = 1_000
KEYS: Final = 1_000_000
#: A prefix that this many of them have.
FEW: Final = 100
REPEATS: Final = 20

_PAGE_BYTES: Final = 4096


def run() -> Report:
    """Measure everything."""
    with EmbeddedServer() as server:
        settings = {
            "plain": DictSettings(url=Secret(server.url), prefix="plain:"),
            "indexed": DictSettings(url=Secret(server.url), prefix="indexed:", index=True),
        }
        rows = asyncio.run(_store_rows(settings, server.url))
        ratios = {"lookups of the store, times redis-py's": rows[0].rate_per_s / rows[1].rate_per_s}
        for name in settings:
            more, longest_ms = _million(name, settings, server.url)
            rows += more
            ratios[f"{name}: Redis' longest command meanwhile, ms"] = longest_ms
    return Report("dict", rows, ratios)


async def _store_rows(settings: dict[str, DictSettings], url: str) -> list[Row]:
    dictionary = make_dictionary(settings["plain"])
    client = connect_async(RedisSettings(url=Secret(url)))
    await _set(dictionary, b"shared/key", b"value")
    rows = [
        await _flood("lookup", "lualoft", LOOKUPS, lambda _: dictionary.lookup(b"shared/key")),
        await _flood("lookup", "redis-py", LOOKUPS // 10, lambda _: client.get("plain:key"), PEER_IN_FLIGHT),
        await _flood(
            "commit of one key", "lualoft", COMMITS, lambda number: _set(dictionary, b"shared/%d" % number, b"value")
        ),
        await _large_commit(dictionary),
    ]
    await client.aclose()
    await dictionary.close()
    return rows


async def _set(dictionary: Dictionary, key: bytes, value: bytes) -> None:
    transaction = dictionary.begin()
    transaction.set(key, value)
    assert (await transaction.commit()).error == ""


async def _large_commit(dictionary: Dictionary) -> Row:
    times_s = []
    for _ in range(REPEATS):
        transaction = dictionary.begin()
        for number in range(CHANGES):
            transaction.set(b"shared/many/%d" % number, b"value")
        start_s = time.perf_counter()
        assert (await transaction.commit()).error == ""
        times_s.append(time.perf_counter() - start_s)
    return _row(f"commit of {CHANGES:,} keys", "lualoft", times_s, sum(times_s))


async def _flood(
    load: str, who: str, count: int, work: Callable[[int], Awaitable[Any]], in_flight: int = IN_FLIGHT
) -> Row:
    """Do something many times, with a fixed number in flight."""
    numbers, times_s = iter(range(count)), []

    async def one_after_the_other() -> None:
        for number in numbers:
            start_s = time.perf_counter()
            await work(number)
            times_s.append(time.perf_counter() - start_s)

    start_s = time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    return _row(load, who, times_s, time.perf_counter() - start_s)


def _million(name: str, settings: dict[str, DictSettings], url: str) -> tuple[list[Row], float]:
    """Measure with a million keys; returns rows, and the longest command of the server while they were iterated."""
    asyncio.run(_fill(make_dictionary(settings[name])))
    with LuaCalls(settings) as calls:
        calls.together("lookup", name, 1000, IN_FLIGHT)
        small = [_many_calls(calls, function, name) for function in ("lookup", "put")]
        asyncio.run(_command(url, "SLOWLOG", "RESET"))
        asyncio.run(_command(url, "CONFIG", "SET", "slowlog-log-slower-than", "100"))
        before_mib, start_s = _rss_mib(), time.perf_counter()
        assert calls.call("count", name, b"shared/big/") == [KEYS]
        iterated_s, grown_mib = time.perf_counter() - start_s, _rss_mib() - before_mib
        longest_ms = max((entry[2] for entry in asyncio.run(_command(url, "SLOWLOG", "GET", "-1"))), default=0) / 1e3
        few_s = []
        for number in range(REPEATS):
            few_start_s = time.perf_counter()
            assert calls.call("count", name, b"shared/big/%05d" % number) == [FEW]
            few_s.append(time.perf_counter() - few_start_s)
    rows = [
        *small,
        Row(load=f"iterate {KEYS:,} from Lua, {name}", who="lualoft", rate_per_s=KEYS / iterated_s, rss_mib=grown_mib),
        _row(f"iterate {FEW} of {KEYS:,} from Lua, {name}", "lualoft", few_s, sum(few_s)),
    ]
    return rows, longest_ms


def _many_calls(calls: LuaCalls, function: str, name: str) -> Row:
    start_s = time.perf_counter()
    calls.together(function, name, LUA_CALLS, IN_FLIGHT)
    return Row(f"{function} from Lua, {name}", "lualoft", rate_per_s=LUA_CALLS / (time.perf_counter() - start_s))


async def _fill(dictionary: Dictionary) -> None:
    for start in range(0, KEYS, CHANGES):
        transaction = dictionary.begin()
        for number in range(start, start + CHANGES):
            transaction.set(b"shared/big/%07d" % number, b"value of %d" % number)
        assert (await transaction.commit()).error == ""
    await dictionary.close()


async def _command(url: str, *words: str) -> Any:  # noqa: ANN401 - a reply of Redis
    async with connect_async(RedisSettings(url=Secret(url))) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES / 2**20


def _row(load: str, who: str, times_s: list[float], wall_s: float) -> Row:
    times_s.sort()
    return Row(
        load=load,
        who=who,
        rate_per_s=len(times_s) / wall_s,
        p50_ms=times_s[len(times_s) // 2] * 1000,
        p99_ms=times_s[len(times_s) * 99 // 100] * 1000,
    )
