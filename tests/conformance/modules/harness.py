"""Runs the cases of this folder: Lua text in a state of each version, its results shown as one text."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.protocol.errors import LualoftError
from workers.lua.runtime import LuaState, StepKind

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ALL_LUAS = ("5.1", "5.3", "5.4", "5.5", "luajit")
LIMIT_BYTES = 1 << 24

Operations = dict[bytes, "Callable[..., tuple[Any, ...]]"]


@dataclass(frozen=True)
class Case:
    """One row: Lua text and what its results look like."""

    id: str
    lua: str
    expected: str
    version: str


def load_cases(name: str) -> list[Case]:
    """The rows of cases/NAME.toml, one case a Lua version.

    A row is [Lua text, expected, changes]; `changes` may hold luas, and `on`: version -> another expected text. A text
    without `return` is an expression. `prelude` goes in front of each.
    """
    data = tomllib.loads((HERE / "cases" / f"{name}.toml").read_text())
    cases = []
    for group in data["group"]:
        for number, (lua, expected, *rest) in enumerate(group["rows"], 1):
            changes = rest[0] if rest else {}
            body = lua if "return" in lua else f"return same({lua})"
            for version in changes.get("luas", group.get("luas", ALL_LUAS)):
                wanted = changes.get("on", {}).get(version, expected)
                label = f"{group['id']} | {number} {lua[:40]} | {version}"
                cases.append(Case(label, data["prelude"] + " " + body, wanted, version))
    return cases


@cache
def shared_state(version: str) -> LuaState:
    """A state that cases may share: they change nothing in it."""
    return make_state((HERE / "show.lua").read_bytes(), version)


def make_state(script: bytes, version: str, **natives: Any) -> LuaState:
    """A state in which `script` has run."""
    given = {"log": _no_log, "c_modules": False, "microseconds": _microseconds} | natives
    state = LuaState(version, given)
    assert state.compile(script, b"@t.lua") == ""
    step = state.start_main()
    assert step[0] == StepKind.DONE, step
    return state


def run(state: LuaState, function: bytes, args: list[Any], operations: Operations) -> list[Any]:
    """Call a function to its end, doing its operations on the way; returns its results."""
    step = state.start(function, args)
    while step[0] == StepKind.PARKED:
        name, *values = state.values_of(step, LIMIT_BYTES)
        step = state.resume(step[1], operations[name](*values))
    if step[0] != StepKind.DONE:
        raise LualoftError(step[1].decode("utf-8", "backslashreplace"))
    return state.values_of(step, LIMIT_BYTES)


def attempt(case: Case) -> str:
    """What the case's text gives, as show.lua writes it."""
    [shown] = run(shared_state(case.version), b"attempt", [case.lua.encode()], {})
    return shown.decode("latin-1")


def _no_log(_level: bytes, _text: bytes) -> None:
    """The modules log nothing."""


def _microseconds() -> int:
    return time.time_ns() // 1000
