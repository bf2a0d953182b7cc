"""Calls that run out of memory while another thread asks them to give way all the time; test_watched_memory.py runs it.

A program of its own, because writing to memory that is gone ends the process. Usage: VERSION. It prints how many of the
calls had their coroutine collected before they left Lua.
"""

from __future__ import annotations

import sys
import threading

from tests.unit.lua.states import call
from workers.lua.runtime import LuaState, StepKind
from workers.lua.time_slice import TimeSlice

CAP_BYTES = 4 << 20
CALL_COUNT = 20

#: Between two questions: many of them come while a finaliser lingers.
PAUSE_S = 0.00005

SCRIPT = b"""
local coroutines = setmetatable({}, { __mode = "k" })

-- It runs when the collector has freed what the failed call left, its coroutine included, and lasts some slices.
local function linger()
   is_gone = next(coroutines) == nil
   for _ = 1, 3e6 do end
end

function fail()
   coroutines[coroutine.running()] = true
   setmetatable({}, { __gc = linger })
   return ("x"):rep(1e7)
end

function was_gone() return coroutine.wrap(function() return is_gone end)() end
"""


def main(version: str) -> int:
    """Return how many calls had their coroutine collected while they were still inside Lua."""
    time_slice = TimeSlice()
    natives = {"log": lambda _level, _text: None, "c_modules": False}
    state = LuaState(version, natives, CAP_BYTES, time_slice=time_slice)
    assert state.compile(SCRIPT, b"@t.lua") == ""
    assert state.start_main()[0] == StepKind.DONE
    end = threading.Event()

    def ask() -> None:
        while not end.wait(PAUSE_S):
            time_slice.ask(time_slice.number)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        return sum(_was_gone(state, time_slice) for _ in range(CALL_COUNT))
    finally:
        end.set()
        asking.join()


def _was_gone(state: LuaState, time_slice: TimeSlice) -> bool:
    time_slice.enter("fail")
    kind, text = call(state, function=b"fail")
    assert kind == StepKind.FAILED
    assert b"not enough memory" in text
    time_slice.enter("was_gone")
    return bool(call(state, function=b"was_gone")[2])


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1])}\n")
