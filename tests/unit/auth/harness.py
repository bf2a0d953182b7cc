"""Runs an auth invocation in an instance of its own; what conformance data files cannot say is tested with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dispatcher.protocol.auth_result import AUTH_HOST, AuthResult
from dispatcher.protocol.invocation import SCHEMA_VERSION, Invocation, ScriptPackage
from dispatcher.protocol.outcome import Outcome
from dispatcher.protocol.settings import LuaSettings
from workers.auth.task import AuthTask
from workers.call_log import CallLog
from workers.instances import Instance, InstanceCache
from workers.lua.time_slice import TimeSlice
from workers.natives import natives_of


@dataclass
class HoldingScheduler:
    """An engine that keeps what it is asked for."""

    max_result_bytes: int = 1 << 20
    parked: list[Any] = field(default_factory=list)
    operations: list[Any] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def park(self, _task, step, _state):
        self.parked.append(step)

    def run_operation(self, _task, name, args):
        self.operations.append((name, args))

    def log(self, _script_name, _level, text):
        self.lines.append(text)

    def answer(self, _chunk, outcome):
        self.outcomes.append(outcome)

    def left(self, _instance):
        pass

    @property
    def result(self) -> AuthResult:
        return AuthResult.from_value(self.outcomes[-1].values[0])


def instance_of(source: str, *, dialect: str = "2.4", lua: str = "5.4", max_memory_bytes: int = 0) -> Instance:
    call_log = CallLog(100, 4096, lambda _record, _name: None)
    cache = InstanceCache(10, natives_of(LuaSettings(), call_log), TimeSlice(), lambda _instance: None)
    package = ScriptPackage(SCHEMA_VERSION, "t1.lua", "file", source.encode(), dialect, lua, {}, max_memory_bytes)
    instance = cache.add(b"p", package, AUTH_HOST)
    instance.life.load()
    assert [] == list(instance.life.init())
    return instance


def task_of(instance: Instance, scheduler: HoldingScheduler, function: str, *args: Any) -> AuthTask:
    invocation = Invocation(1, b"p", function, list(args), 2.0, 1.0, is_idempotent=True, host=AUTH_HOST)
    task = AuthTask(invocation, None, instance, scheduler)
    task.begin()
    return task
