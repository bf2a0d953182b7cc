"""Lua states for the tests of this folder, and the loop that drives a call to its end."""

from __future__ import annotations

from typing import Any

from workers.lua.runtime import LuaState, StepKind
from workers.lua.time_slice import TimeSlice

ALL_LUAS = ("5.1", "5.2", "5.3", "5.4", "5.5", "luajit")


def make_state(
    script: bytes = b"",
    version: str = "5.4",
    max_memory_bytes: int = 0,
    time_slice: TimeSlice | None = None,
    **natives: Any,
) -> LuaState:
    """A state in which `script` has run; host.lua of the conformance tests gives it `dovecot.wait`."""
    natives.setdefault("log", lambda _level, _text: None)
    natives.setdefault("c_modules", False)
    host_files = (("tests.conformance", "host.lua"),)
    state = LuaState(version, natives, max_memory_bytes, host_files=host_files, time_slice=time_slice)
    assert state.compile(script, b"@t.lua") == ""
    step = state.start_main()
    assert step[0] == StepKind.DONE, step
    return state


def call(state: LuaState, *args: Any, function: bytes = b"f") -> Any:
    """Call a function to its end; an operation is answered with its own arguments."""
    step = state.start(function, list(args))
    while step[0] == StepKind.PARKED:
        step = state.resume(step[1], step[3:])
    return step


def results(script: bytes, version: str = "5.4", **natives: Any) -> list[Any]:
    """What function `f` of a script returns."""
    state = make_state(script, version, **natives)
    step = call(state)
    assert step[0] == StepKind.DONE, step
    return state.values_of(step, 1 << 20)
