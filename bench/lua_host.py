"""What the Lua host costs: a call, an event, a log line, JSON.

Run by `python -m bench lua_host`; in one process, without a queue. The peer is lupa alone: the same Lua function,
called through a bare Lua state.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.report import Report, Row
from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.settings import LogSettings, LuaSettings
from workers.call_log import CallLog
from workers.lua.runtime import LuaState, bare_function
from workers.natives import natives_of
from workers.script_log import ScriptLog

if TYPE_CHECKING:
    from collections.abc import Callable

#: Repetitions of each measured step.
COUNT: Final = 20_000

#: Steps whose time is taken together, so that the clock does not count.
GROUP: Final = 20

SOURCE: Final = b"""
local json = require "json"
local cjson = require "cjson"
local users = {}
for i = 1, 25 do
   users[i] = { name = "user" .. i, uid = 1000 + i, quota = 1.5 * i, active = i % 2 == 0, home = "/home/user" .. i }
end
local text = json.encode(users)

function call(request, password) return 1, password end
function log() dovecot.i_debug("a line") end
function event() dovecot.event():set_name("login"):add_str("user", "joe"):log_debug("a line") end
function decode() json.decode(text) end
function encode() json.encode(users) end
function cjson_decode() cjson.decode(text) end
function cjson_encode() cjson.encode(users) end
function document_bytes() return #text end
"""


def run() -> Report:
    """Measure each function of the script; then the same call through lupa alone."""
    call_log = CallLog(100, 4096, ScriptLog(LogSettings(level="error")).write, lambda _record: True)
    natives = natives_of(LuaSettings(), call_log)
    package = ScriptPackage(SCHEMA_VERSION, "bench", "string", SOURCE, "2.4", "5.4", {}, max_memory_bytes=0)
    state = LuaState("5.4", natives(package))
    error = state.compile(SOURCE, b"@bench.lua")
    if error or state.start_main()[0] != 0:
        raise AssertionError(f"the script does not load: {error}")
    size_bytes = state.start(b"document_bytes", [])[2]
    arguments = [b"user", b"password"]
    rows = [_measure("call", "lualoft", lambda: _checked(state.start(b"call", arguments)))]
    bare = bare_function("5.4", b"function(request, password) return 1, password end")
    rows.append(_measure("call", "bare lupa", lambda: bare(*arguments)))
    names = (b"log", b"event", b"decode", b"encode", b"cjson_decode", b"cjson_encode")
    rows += [_measure(name.decode(), "lualoft", _caller(state, name)) for name in names]
    us = {(row.who, row.load): row.p50_ms * 1000 for row in rows}
    ratios = {
        "call, microseconds over lupa's own": us["lualoft", "call"] - us["bare lupa", "call"],
        "event created and logged, microseconds": us["lualoft", "event"],
        f"json.decode of {size_bytes} bytes, microseconds": us["lualoft", "decode"],
        f"json.encode of {size_bytes} bytes, microseconds": us["lualoft", "encode"],
    }
    return Report("lua_host", rows, ratios)


def _caller(state: LuaState, name: bytes) -> Callable[[], None]:
    return lambda: _checked(state.start(name, []))


def _checked(step: tuple[object, ...]) -> None:
    if step[0] != 0:
        raise AssertionError(step)


def _measure(load: str, who: str, work: Callable[[], object]) -> Row:
    times_s = []
    for _ in range(COUNT // GROUP):
        start_s = time.perf_counter()
        for _ in range(GROUP):
            work()
        times_s.append((time.perf_counter() - start_s) / GROUP)
    times_s.sort()
    return Row(
        load=load,
        who=who,
        rate_per_s=1 / (sum(times_s) / len(times_s)),
        p50_ms=times_s[len(times_s) // 2] * 1000,
        p99_ms=times_s[len(times_s) * 99 // 100] * 1000,
    )
