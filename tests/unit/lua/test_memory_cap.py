"""The cap of a state's memory holds wherever code of the script runs."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state
from workers.lua.runtime import StepKind

CAP_BYTES = 4 << 20

#: Tries to get ten times as much, and notes how far it came.
GROW = b"""
local function grow()
   local parts = {}
   for number = 1, 400 do
      parts[number] = ("x"):rep(100000) .. number
      grown = number
   end
end
function grown_count() return grown end
"""


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize("args", [[], [{b"$dns": True}]], ids=["plain", "an object"])
def test_it_holds_for_a_call_whatever_its_arguments(version: str, args: list[object]):
    state = make_state(GROW + b"function f() grow() end", version, CAP_BYTES)
    kind, text = state.start(b"f", args)
    assert kind == StepKind.FAILED
    assert b"not enough memory" in text


@pytest.mark.parametrize("version", ["5.4", "5.5"])
def test_it_holds_while_a_cancelled_call_is_closed(version: str):
    script = b"function f() local _ <close> = setmetatable({}, { __close = grow }) dovecot.wait() end"
    state = make_state(GROW + script, version, CAP_BYTES)
    state.cancel(state.start(b"f", [])[1])
    assert 0 < call(state, function=b"grown_count")[2] < 400


@pytest.mark.parametrize("version", ALL_LUAS)
def test_it_holds_for_the_last_step(version: str):
    script = b"kept = newproxy and newproxy(true) or setmetatable({}, { __gc = grow })"
    script += b" if newproxy then getmetatable(kept).__gc = grow end"
    state = make_state(GROW + script, version, CAP_BYTES)
    state.close()
    assert 0 < call(state, function=b"grown_count")[2] < 400
