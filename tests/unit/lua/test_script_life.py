"""What the conformance cases cannot say about a script's life: order, second times, giving up."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import call
from workers.lua.runtime import LuaState, StepKind
from workers.lua.script_life import ScriptError, ScriptLife
from workers.lua.script_source import from_file_text


def _life(text, logged=None, **natives):
    logged = [] if logged is None else logged
    natives["log"] = lambda level, text: logged.append((level, text))
    state = LuaState("5.4", natives, host_files=(("tests.conformance", "host.lua"),))
    life = ScriptLife(state, from_file_text("s.lua", text))
    life.load()
    return state, life


def test_a_second_init_succeeds_though_the_first_failed():
    _, life = _life(b"error('boom')")
    with pytest.raises(ScriptError):
        list(life.init())
    assert [] == list(life.init())


def test_a_second_init_runs_nothing():
    logged = []
    _, life = _life(b"dovecot.i_info('ran')", logged)
    assert [] == list(life.init())
    assert [] == list(life.init())
    assert [(b"info", b"ran")] == logged


def test_a_second_deinit_runs_nothing():
    logged = []
    _, life = _life(b"function script_deinit() dovecot.i_info('ended') end", logged)
    list(life.init())
    assert [] == list(life.deinit())
    assert [] == list(life.deinit())
    assert [(b"info", b"ended")] == logged


def test_a_failed_deinit_is_logged_one_line_each():
    logged = []
    _, life = _life(b"function script_deinit() error('boom') end", logged)
    list(life.init())
    list(life.deinit())
    assert (
        b"error",
        b"script_deinit() failed: lua_pcall(script_deinit, 0, 0) failed: s.lua:1: boom",
    ) == logged[0]
    assert (b"error", b"stack traceback:") == logged[1]
    assert all(level == b"error" for level, _ in logged)


def test_deinit_before_init_finds_no_function():
    _, life = _life(b"function script_deinit() error('boom') end")
    assert [] == list(life.deinit())


def test_an_init_that_is_given_up_closes_what_it_opened():
    logged = []
    script = b"""
    local x <close> = setmetatable({}, { __close = function() dovecot.i_info("closed") end })
    dovecot.wait()"""
    _, life = _life(script, logged)
    steps = life.init()
    assert StepKind.PARKED == next(steps)[0]
    steps.close()
    assert [(b"info", b"closed")] == logged


def test_two_states_of_one_file_share_nothing():
    text = b"count = 0 function f() count = count + 1 return count end"
    states = []
    for _ in range(2):
        state, life = _life(text)
        list(life.init())
        states.append(state)
    assert [(0, 1, 1), (0, 1, 1)] == [call(state) for state in states]


def test_the_settings_are_strings_in_both_directions():
    state = LuaState("5.4", {"log": lambda *_: None})
    life = ScriptLife(
        state,
        from_file_text("s.lua", b"function script_init(s) set = s end function f() return set['\xc3\xa4'] end"),
        settings={"ä": "ö"},
    )
    life.load()
    list(life.init())
    assert (StepKind.DONE, 1, "ö".encode()) == call(state)
