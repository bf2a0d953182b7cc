"""Scripts that are broken, huge or hostile: a clear outcome each time, and the process goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state, results
from workers.lua.runtime import LuaState, StepKind
from workers.lua.script_source import from_string

LIMIT_S = 60
CAP_BYTES = 4 << 20


@pytest.mark.parametrize("version", ALL_LUAS)
def test_a_script_of_10_mb_loads_and_runs(version: str):
    script = b"function f() return 5 end\n" + b"-- filler " * 1_000_000
    assert [5] == results(script, version)


@pytest.mark.parametrize("version", ALL_LUAS)
def test_an_empty_script_loads(version: str):
    assert (StepKind.NO_FUNCTION, 0) == call(make_state(b"", version))


@pytest.mark.parametrize("version", ALL_LUAS)
def test_a_nul_in_the_text_is_a_syntax_error_or_white_space_never_more(version: str):
    state = LuaState(version, {"log": lambda *_: None, "c_modules": False})
    assert "unexpected symbol" in state.compile(b"x = \0 5", b"@t.lua") or version == "5.1"


@pytest.mark.parametrize("version", ALL_LUAS)
def test_invalid_utf_8_passes_through_names_and_logs(version: str):
    seen = []
    script = b"function f() dovecot.i_info('\xff\xfe') return '\xfd' end"
    assert [b"\xfd"] == results(script, version, log=lambda _level, text: seen.append(text))
    assert [b"\xff\xfe"] == seen


@pytest.mark.parametrize("version", ALL_LUAS)
def test_a_function_name_of_any_bytes_is_looked_up(version: str):
    state = make_state(b"_G['\xff\\0'] = function() return 5 end", version)
    assert (StepKind.DONE, 1, 5) == call(state, function=b"\xff\0")


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize(
    "body",
    [
        b"local function r() return 1 + r() end return r()",
        b"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] .. '' end return t.x",
        b"local function r() return (pcall(r)) and 1 or error('deep') end return r()",
        b"local function r() return coroutine.wrap(r)() end return r()",
        b"local function r() return 1, r() end return select('#', r())",
    ],
    ids=["calls", "metamethods", "pcall", "coroutines", "results"],
)
def test_recursion_without_end_fails_and_the_state_goes_on(version: str, body: bytes):
    state = make_state(b"function f() %s end function g() return 5 end" % body, version)
    step = call(state)
    assert step[0] == StepKind.FAILED or step[2:] in {(1,), (False,)}, step
    assert (StepKind.DONE, 1, 5) == call(state, function=b"g")


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize(
    "sabotage",
    [
        b"debug = setmetatable({}, { __index = function() error('no') end })",
        b"debug.traceback = function() error('no') end",
        b"debug.traceback = setmetatable({}, { __call = error })",
        b"setmetatable(_G, { __index = error, __newindex = error }) rawset(_G, 'debug', nil)",
        b"coroutine = nil pcall = nil error = nil",
        b"for name in pairs(string) do string[name] = nil end getmetatable('').__index = nil",
        b"for _, l in ipairs({ table, math, coroutine, debug, os }) do for name in pairs(l) do l[name] = nil end end",
        b"debug.setmetatable(nil, { __index = error, __call = error }) debug.setmetatable(1, { __concat = error })",
        b"collectgarbage('stop')",
        b"if setfenv then setfenv(0, { debug = setmetatable({}, { __index = error }) }) end",
    ],
    ids=lambda sabotage: sabotage[:40].decode(),
)
def test_a_script_that_breaks_its_surroundings_breaks_itself_only(version: str, sabotage: bytes):
    logged = []
    script = b"""
    local dovecot, raise = dovecot, error
    function f() dovecot.event():add_int("n", 5):log_info("x") return 5 end
    function g() raise("boom", 0) end
    %s""" % (sabotage)
    state = make_state(script, version, log=lambda _level, text: logged.append(text))
    assert (StepKind.DONE, 1, 5) == call(state)
    assert [b"x"] == logged
    kind, text = call(state, function=b"g")
    assert kind == StepKind.FAILED
    assert text.startswith(b"boom")


@pytest.mark.parametrize("version", ALL_LUAS)
def test_a_state_at_its_memory_cap_refuses_calls_and_lives(version: str):
    script = b"""
    kept = {}
    function f() pcall(function() while true do kept[#kept + 1] = ("x"):rep(1000) .. #kept end end) end
    function g(...) return select("#", ...) end"""
    state = make_state(script, version, CAP_BYTES)
    call(state)
    for _ in range(3):
        assert (StepKind.FAILED, b"not enough memory") == call(state, b"x" * CAP_BYTES, {b"a": [1, 2]}, function=b"g")


@pytest.mark.parametrize("version", ALL_LUAS)
def test_a_call_that_reached_the_cap_leaves_its_garbage_to_be_collected(version: str):
    script = b"""
    function f() local kept = {} while true do kept[#kept + 1] = ("x"):rep(1000) .. #kept end end
    function g() return 5 end"""
    state = make_state(script, version, CAP_BYTES)
    for _ in range(3):
        assert StepKind.FAILED == call(state)[0]
        assert (StepKind.DONE, 1, 5) == call(state, function=b"g")


def test_a_script_over_its_memory_cap_does_not_compile():
    state = LuaState("5.4", {"log": lambda *_: None, "c_modules": False}, CAP_BYTES)
    assert "not enough memory" == state.compile(b"return {" + b"{}," * CAP_BYTES + b"}", b"@t.lua")


#: What would end the process where it is not stopped is tried in a process of its own.
FAILING_FINALISERS = """
from tests.unit.lua.states import call, make_state
state = make_state(b'''
function f()
   local failing = function() error("finaliser") end
   if newproxy then getmetatable(newproxy(true)).__gc = failing else setmetatable({}, { __gc = failing }) end
   return {}
end''', VERSION)
for number in range(30000):
    call(state, b"x" * 1000 + str(number).encode(), {b"a": 1})
print("alive")
"""
NESTED_CALLBACKS = """
from workers.c_stack import raise_c_stack_limit
raise_c_stack_limit()
from tests.unit.lua.states import call, make_state
state = make_state(b'''
function f() local function r() return (string.gsub("x", "x", r)) end return r() end
function g() return string.find(("a"):rep(300000), ("a?"):rep(300000) .. "aaa") end''', VERSION)
call(state)
call(state, function=b"g")
print("alive")
"""


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize("program", [FAILING_FINALISERS, NESTED_CALLBACKS], ids=["finalisers", "callbacks"])
def test_the_process_outlives(version: str, program: str):
    source = program.replace("VERSION", repr(version))
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=LIMIT_S, check=False)
    assert (0, b"alive\n") == (done.returncode, done.stdout), done.stderr[-300:]


def test_the_shortened_chunk_name_of_a_string_reads_as_the_whole_one():
    state = LuaState("5.4", {"log": lambda *_: None, "c_modules": False})
    for text in (
        b"x = = 1",
        b"local a\nx = = 1",
        b"local " + b"a" * 200 + b" x = = 1",
        b"-- " + b"b" * 97 + b"\nx = = 1",
    ):
        assert state.compile(text, text) == state.compile(text, from_string(text).chunk_name)
