"""Debian's Lua modules written in C, in real workers: to be had when switched on, and a clear word when not."""

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import (
    EngineSettings,
    LuaSettings,
    PoolSettings,
    RedisSettings,
    ScriptSettings,
    Settings,
)
from tests.debian import require_file

SOURCE = b"""
local lpeg, lfs = require "lpeg", require "lfs"
local word = lpeg.C(lpeg.R("az") ^ 1)
function f(text) return word:match(text), lfs.attributes("/", "mode") end
"""


@pytest.fixture
def settings():
    require_file("/usr/lib/*/lua/5.4/lpeg.so", package="lua-lpeg")
    require_file("/usr/lib/*/lua/5.4/lfs.so", package="lua-filesystem")
    with EmbeddedServer() as server:
        yield Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1),
            lua=LuaSettings(c_modules=True),
        )


def test_c_modules_work_when_they_are_switched_on(settings):
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert [b"hello", b"directory"] == dispatcher.call(Script.from_stream("c", SOURCE), "f", "hello, world").values
        # States of every other Lua live on beside it.
        for lua in ("5.1", "5.2", "5.3", "5.5", "luajit"):
            other = Script.from_stream(lua, b"function f() return 1 end", ScriptSettings(lua=lua))
            assert [1] == dispatcher.call(other, "f").values


def test_script_on_another_lua_is_told_which_one_has_c_modules(settings):
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert dispatcher.call(Script.from_stream("c", SOURCE), "f", "x").is_ok
        outcome = dispatcher.call(Script.from_stream("c", SOURCE, ScriptSettings(lua="5.1")), "f", "x")
        assert OutcomeKind.LOAD_ERROR is outcome.kind
        assert 'open to C modules of Lua 5.4 only: set lua = "5.4" for the script' in outcome.error


def test_script_is_told_what_to_set_when_they_are_off(settings):
    off = replace(settings, lua=LuaSettings(c_modules=False))
    with LocalPool(off), Dispatcher(off) as dispatcher:
        outcome = dispatcher.call(Script.from_stream("c", SOURCE), "f", "x")
        assert OutcomeKind.LOAD_ERROR is outcome.kind
        assert "set c_modules = true in the [lua] section (apt-get install lua-lpeg)" in outcome.error


#: Functions of C that do not come back for longer than anybody waits.
ENDLESS = {
    "a query": b"""
        local connection = require("luasql.sqlite3").sqlite3():connect(":memory:")
        connection:execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
    """,
    "a grammar": b"""
        local lpeg = require("lpeg")
        local S, a, b, c = lpeg.V("S"), lpeg.P("a"), lpeg.P("b"), lpeg.P("c")
        lpeg.P({ "S", S = a * S * b + a * S * c + a }):match(("a"):rep(60))
    """,
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS.keys())
def test_function_of_c_that_does_not_come_back_costs_its_worker_and_nobody_else(settings, body):
    require_file("/usr/lib/*/lua/5.4/luasql/sqlite3.so", package="lua-sql-sqlite3")
    bystander = Script.from_stream("bystander", b"function ping() return 'pong' end")
    endless = Script.from_stream("endless", b"function f() " + body + b" end")
    brief = replace(settings, engine=EngineSettings(max_cpu_s=0.2))
    with LocalPool(brief), Dispatcher(brief) as dispatcher:
        stuck = dispatcher.submit(endless, "f", [], deadline_s=20)
        others = [dispatcher.submit(bystander, "ping", [], deadline_s=30, idempotent=True) for _ in range(50)]
        assert OutcomeKind.CPU_LIMIT is stuck.result(timeout=30).kind
        assert [[b"pong"]] * 50 == [other.result(timeout=40).values for other in others]
