"""What a loaded script costs: time and memory to make one, and memory given back when it is evicted.

Run by `python -m bench instances`; in one process, without a queue. The peer is lupa alone: an empty Lua state.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.check import SOURCE
from bench.report import Report, Row
from dispatcher.catalog import Script
from dispatcher.protocol.codec import decode_package
from dispatcher.protocol.settings import LogSettings, LuaSettings, Settings
from workers.call_log import CallLog
from workers.instances import Instance, InstanceCache
from workers.lua.runtime import empty_state
from workers.lua.time_slice import TimeSlice
from workers.natives import natives_of
from workers.operations.catalog import standard_catalog
from workers.script_log import ScriptLog
from workers.stats import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import ScriptPackage

#: Scripts that are loaded at once.
COUNT: Final = 1000

_MEBIBYTE: Final = 1024 * 1024


def run() -> Report:
    """Load a thousand scripts, evict them all, and do the same with bare Lua states."""
    call_log = CallLog(100, 4096, ScriptLog(LogSettings()).write)
    natives = natives_of(LuaSettings(), call_log, standard_catalog(Settings()).natives)
    cache = InstanceCache(COUNT, natives, TimeSlice(), _unload)
    packages = [_package(number) for number in range(COUNT)]

    def load() -> None:
        for package_id, package in packages:
            life = cache.add(package_id, package).life
            life.load()
            for _parked in life.init():
                raise AssertionError("the script waits")

    loaded = _measure("1,000 scripts loaded", "lualoft", load)
    evicted = _measure("all evicted", "lualoft", cache.close)
    states: list[object] = []
    bare = _measure("1,000 states", "bare lupa", lambda: states.extend(empty_state("5.4") for _ in range(COUNT)))
    given_back = -evicted.rss_mib / loaded.rss_mib
    ratios = {"time, ours / bare lupa": loaded.p50_ms / bare.p50_ms, "memory given back / taken": given_back}
    return Report("instances", [loaded, evicted, bare], ratios)


def _unload(instance: Instance) -> None:
    for _parked in instance.life.deinit():
        raise AssertionError("the script waits")


def _package(number: int) -> tuple[bytes, ScriptPackage]:
    package_id, data = Script.from_stream(f"script-{number}", SOURCE + b"-- %d" % number).packed
    return package_id, decode_package(data, package_id)


def _measure(load: str, who: str, work: Callable[[], None]) -> Row:
    before_bytes, start_s = resident_bytes(), time.perf_counter()
    work()
    each_ms = (time.perf_counter() - start_s) / COUNT * 1000
    return Row(load=load, who=who, p50_ms=each_ms, rss_mib=(resident_bytes() - before_bytes) / _MEBIBYTE)


if not Path("/proc/self/statm").exists():
    message = "memory is read from /proc: Linux only"
    raise SystemExit(message)
