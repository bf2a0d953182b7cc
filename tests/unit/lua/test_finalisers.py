"""Finalisers of scripts run inside steps only: anywhere else, one that loops would stop the whole process."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state, results
from workers.lua.runtime import LuaState, StepKind, bare_function
from workers.lua.time_slice import TimeSlice

pytestmark = pytest.mark.parametrize("version", ALL_LUAS)

#: Makes an object with the finaliser `gc`, on every Lua.
OBJECT = b"""
function object(gc)
   if not newproxy then return setmetatable({}, { __gc = gc }) end
   local proxy = newproxy(true)
   getmetatable(proxy).__gc = gc
   return proxy
end
"""

#: Places where a finaliser can be left for the end of the state.
LEFT = {
    "an object": b"kept = object(loud)",
    "made by a finaliser": b"function again() kept[#kept + 1] = object(again) loud() end kept = { object(again) }",
    "another metatable": b"kept = object(error) debug.setmetatable(kept, { __gc = loud })",
    "filled later": b"kept = object(error) debug.getmetatable(kept).__gc = loud",
    "files": b"getmetatable(io.stdout).__gc = loud kept = io.open('/dev/null')",
    "our objects": b"kept = dovecot.event() debug.getmetatable(kept).__gc = loud kept = dovecot.event()",
}


def _noisy(script: bytes, version: str) -> tuple[LuaState, list[bytes]]:
    """A state, and what it logs; `loud` logs."""
    lines: list[bytes] = []
    loud = b"local info = dovecot.i_info function loud() info('loud') end\n"
    return make_state(OBJECT + loud + script, version, log=lambda _level, text: lines.append(text)), lines


def test_the_last_step_calls_them_newest_first(version: str):
    script = b"one = object(function() info(1) end) two = object(function() info(2) error('x') end)"
    state, lines = _noisy(b"info = dovecot.i_info " + script, version)
    state.close()
    assert [b"2", b"1"] == lines


@pytest.mark.parametrize("script", LEFT.values(), ids=LEFT.keys())
def test_none_runs_when_the_state_is_let_go_of(version: str, script: bytes):
    state, lines = _noisy(script, version)
    state.close()
    lines.clear()
    del state
    assert [] == lines


def test_none_runs_while_values_are_handed_over(version: str):
    time_slice = TimeSlice()
    was_inside: list[bool] = []
    natives = {"log": lambda _level, _text: was_inside.append(time_slice.is_inside), "c_modules": False}
    state = LuaState(version, natives, time_slice=time_slice)
    state.compile(
        OBJECT + b"function f(t) for _ = 1, 20 do object(function() dovecot.i_info('') end) end end", b"@t.lua"
    )
    state.start_main()
    for _ in range(50):
        call(state, {number: [number] for number in range(200)})
    assert was_inside
    assert all(was_inside)


@pytest.mark.parametrize(
    "code",
    [
        b"setmetatable(1, {})",
        b"setmetatable()",
        b"setmetatable({})",
        b"setmetatable({}, 1)",
        b"setmetatable(setmetatable({}, { __metatable = 1 }), {})",
        b"io.popen()",
    ],
)
def test_what_makes_them_fails_in_the_words_of_lua(version: str, code: bytes):
    function = b"function() local ok, message = pcall(function() local x = %s end) return message end" % code
    expected = bare_function(version, function)().replace(b'[string "<python>"]', b"t.lua")
    assert [expected] == results(b"function f() return (%s)() end" % function, version)


def test_objects_are_what_lua_makes_of_them(version: str):
    script = b"function f() local t = {} return setmetatable(t, { __index = { a = 5 } }) == t, t.a end"
    assert [True, 5] == results(script, version)


def test_the_collector_stands_still_until_the_next_call_at_most(version: str):
    script = b"""
    function stop() collectgarbage("stop") end
    function f()
       for number = 1, 200 do local _ = ("x"):rep(1e6) .. number end
       return collectgarbage("count") < 50000
    end"""
    state = make_state(script, version)
    call(state, function=b"stop")
    assert (StepKind.DONE, 1, True) == call(state)


@pytest.mark.parametrize("code", [b"collectgarbage('nosuch')", b"collectgarbage({})"])
def test_what_the_collector_does_not_know_fails_in_the_words_of_lua(version: str, code: bytes):
    function = b"function() local ok, message = pcall(function() local x = %s end) return message end" % code
    expected = bare_function(version, function)().replace(b'[string "<python>"]', b"t.lua")
    assert [expected] == results(b"function f() return (%s)() end" % function, version)
