"""Lets invocations into their scripts: loads, refuses, and has them wait outside one that is full.

The engine's own, used on its thread only. It decides who begins; what a call comes to is its task's business.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher.protocol.auth_result import AUTH_HOST
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from workers.auth.task import AuthTask
from workers.lua.script_life import ScriptError
from workers.tasks import CallTask, LifeTask, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import Invocation
    from workers.breaker import Breaker
    from workers.instances import Instance, InstanceCache
    from workers.parking import ParkingLot
    from workers.tasks import Task
    from workers.work import TakenChunk

_log: Final = logging.getLogger("lualoft.engine")


class Door(Scheduler, Protocol):
    """What an admission needs of the engine."""

    def step(self, task: Task, move: Callable[..., None], *args: object) -> None:
        """Make a move of a task's, and note whose it is."""


class Admission:
    """The door to the scripts of one worker."""

    def __init__(self, engine: Door, instances: InstanceCache, breaker: Breaker, parking: ParkingLot) -> None:
        """Set up with nobody waiting.

        Args:
            engine: runs the tasks.
            instances: the loaded scripts.
            breaker: knows which scripts are parked.
            parking: ends those who wait outside at their deadline.
        """
        self._engine = engine
        self._instances = instances
        self._breaker = breaker
        self._parking = parking

    def begin(self, invocation: Invocation, chunk: TakenChunk) -> None:
        """Run an invocation, or have it wait for its script, or refuse it."""
        refusal = self._refusal(invocation)
        if refusal:
            self._answer(invocation, chunk, *refusal)
            return
        instance = self._instances.get(invocation.package_id, invocation.host)
        if instance is None:
            self._load(invocation, chunk)
        elif instance.is_ready:
            self._call(invocation, chunk, instance)
        elif instance.error:
            self._answer(invocation, chunk, OutcomeKind.LOAD_ERROR, instance.error)
        else:
            instance.waiting.append(lambda: self.begin(invocation, chunk))

    def let_in(self, instance: Instance) -> None:
        """Let the next one in who waits outside: a call has left.

        It goes on until one has begun or nobody waits: should it stop at one that is refused or whose deadline came
        first, nothing would call it again for those behind.
        """
        while instance.has_outside and not instance.is_full:
            place = self._parking.take(instance.next_outside())
            if place is None or not isinstance(place.task, CallTask):
                continue
            task = place.task
            refusal = self._refusal(task.invocation)
            if refusal:
                task.refuse(*refusal)
                continue
            self._engine.step(task, task.begin)
            return

    def unload(self, instance: Instance) -> None:
        """Run script_deinit; the instance lives as long as that takes."""
        name = instance.package.name

        def ended(problem: str) -> None:
            if problem:
                _log.error("%s: script_deinit() failed: %s", name, problem)

        task = LifeTask(instance.life.deinit(), instance, self._engine, ended)
        self._engine.step(task, task.begin)

    def _refusal(self, invocation: Invocation) -> tuple[OutcomeKind, str] | None:
        if invocation.deadline_unix_s <= time.time():
            error = "the deadline passed while the invocation was queued; it was not run"
            return OutcomeKind.DEADLINE_EXCEEDED, error
        parked_s = self._breaker.left_s(invocation.package_id)
        if parked_s:
            error = f"the script keeps hitting its limits and is parked for another {parked_s:.1f} s"
            return OutcomeKind.UNAVAILABLE, error
        return None

    def _answer(self, invocation: Invocation, chunk: TakenChunk, kind: OutcomeKind, error: str) -> None:
        self._engine.answer(chunk, Outcome(invocation.id, kind, error=error))

    def _call(self, invocation: Invocation, chunk: TakenChunk, instance: Instance) -> None:
        make_task = AuthTask if invocation.host == AUTH_HOST else CallTask
        task = make_task(invocation, chunk, instance, self._engine)
        # Who comes while others wait queues up behind them, also in the moment in which there is room.
        if instance.is_full or instance.has_outside:
            instance.wait_outside(self._parking.enter(task, None))
        else:
            self._engine.step(task, task.begin)

    def _load(self, invocation: Invocation, chunk: TakenChunk) -> None:
        """Load the script of an invocation, which begins then."""
        package = chunk.packages.get(invocation.package_id)
        if package is None:
            error = f"script package {invocation.package_id.hex()[:12]}… is not in Redis"
            self._answer(invocation, chunk, OutcomeKind.UNAVAILABLE, error)
            return
        try:
            instance = self._instances.add(invocation.package_id, package, invocation.host)
        except Exception as exc:  # noqa: BLE001 - an outcome is made of it; the worker serves other scripts too
            self._answer(invocation, chunk, OutcomeKind.LOAD_ERROR, f"the script's Lua state cannot be made: {exc}")
            return
        # It waits before anything runs: should that never end, the watch answers those who wait, and the script must
        # not be given to the next worker with it.
        instance.waiting.append(lambda: self.begin(invocation, chunk))
        try:
            instance.life.load()
        except ScriptError as exc:
            instance.end_loading(str(exc))
            return
        task = LifeTask(instance.life.init(), instance, self._engine, instance.end_loading)
        self._engine.step(task, task.begin)
