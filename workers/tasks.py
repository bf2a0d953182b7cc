"""What runs as coroutine steps in the engine: an invocation, the loading of a script, its unloading.

Each task goes from step to step; when a step parks, the engine runs the operation and goes on with its results. Tasks
decide what an end means; the engine decides when.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from dispatcher.protocol.outcome import Outcome, OutcomeKind
from workers.lua.marshal import MarshalError
from workers.lua.runtime import StepKind, text_from_lua
from workers.lua.script_life import ScriptError, call_failure, no_function
from workers.running_note import call_note, script_note

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from dispatcher.protocol.invocation import Invocation
    from dispatcher.protocol.outcome import LogLine
    from workers.instances import Instance
    from workers.lua.runtime import LuaState, Step
    from workers.work import TakenChunk

#: What Lua says when its memory cap is reached.
_NO_MEMORY: Final = b"not enough memory"

#: Seconds that script_init or script_deinit may take, waits included.
LIFE_LIMIT_S: Final = 30.0

#: A step of those two that does not give way may last for so many times the processor time of a call: others wait.
LIFE_STEP_FACTOR: Final = 3.0


class Scheduler(Protocol):
    """What tasks need of the engine."""

    @property
    def max_result_bytes(self) -> int:
        """Cap of a call's results."""

    @property
    def max_cpu_s(self) -> float:
        """Processor time of a call whose script has no limit of its own."""

    def park(self, task: Task, step: Step, state: LuaState) -> None:
        """Run the operation of a PARKED step and go on with the task afterwards."""

    def run_operation(self, task: Task, name: bytes, args: Sequence[Any]) -> None:
        """Run an operation for the task itself; it goes on with the results and None for a coroutine."""

    def log(self, script_name: str, level: str, text: bytes) -> None:
        """Log what the host has to say about the running task."""

    def answer(self, chunk: TakenChunk, outcome: Outcome) -> None:
        """Deliver an outcome."""

    def left(self, instance: Instance, kind: OutcomeKind) -> None:
        """Note that a call has left an instance, and how: another may come in."""


class Task(Protocol):
    """Something that goes on after an operation."""

    #: Seconds since the epoch; past it a parked task is ended.
    deadline_unix_s: float
    #: Lines that it logged; None while there are none.
    logs: list[LogLine] | None
    #: How many it logged, and their bytes.
    line_count: int
    log_bytes: int
    #: Where it runs.
    instance: Instance
    #: What stands in the running note while it runs.
    note: bytes
    #: Processor time of its steps so far, the running one not counted.
    cpu_s: float

    @property
    def max_cpu_s(self) -> float:
        """Processor time after which it is ended."""

    @property
    def max_step_s(self) -> float:
        """Processor time after which a step that does not give way is stuck."""

    def go_on(self, coroutine: object, values: tuple[Any, ...]) -> None:
        """Take the results of the operation."""

    def expire(self, coroutine: object) -> None:
        """End: the deadline passed while it was parked."""

    def exceed(self, coroutine: object) -> None:
        """End: its processor time is used up."""

    def give_up(self) -> None:
        """End: it is stuck, and its worker ends with it. Called outside the engine's thread."""

    def break_off(self, fault: str) -> None:
        """End, unless it has ended: a bug of ours, of that name, came in between."""


class CallTask:
    """One invocation inside a ready instance. A host's task (workers/auth) replaces its start and its end."""

    __slots__ = (
        "_chunk",
        "_has_ended",
        "_started_unix_s",
        "cpu_s",
        "deadline_unix_s",
        "instance",
        "invocation",
        "line_count",
        "log_bytes",
        "logs",
        "note",
        "scheduler",
    )

    def __init__(self, invocation: Invocation, chunk: TakenChunk, instance: Instance, scheduler: Scheduler) -> None:
        self._chunk = chunk
        self._has_ended = False
        self._started_unix_s = 0.0
        self.invocation = invocation
        self.instance = instance
        self.scheduler = scheduler
        self.deadline_unix_s = invocation.deadline_unix_s
        self.logs: list[LogLine] | None = None
        self.line_count = 0
        self.log_bytes = 0
        self.cpu_s = 0.0
        self.note = call_note(chunk.reply_key, invocation.id)

    @property
    def max_cpu_s(self) -> float:
        """Processor time after which it is ended."""
        return self.instance.package.max_cpu_s or self.scheduler.max_cpu_s

    @property
    def max_step_s(self) -> float:
        """Processor time after which a step that does not give way is stuck."""
        return max(0.0, self.max_cpu_s - self.cpu_s)

    def begin(self) -> None:
        """Call the function."""
        if not self.invocation.is_idempotent:
            self._chunk.begun.add(self.invocation.id)
        self._started_unix_s = time.time()
        self.instance.call_count += 1
        self.start()

    def start(self) -> None:
        """Make the first step."""
        self.after(self.instance.state.start(self.invocation.function.encode(), self.invocation.args))

    def go_on(self, coroutine: object, values: tuple[Any, ...]) -> None:
        """Resume the coroutine with the operation's results."""
        self.after(self.instance.state.resume(coroutine, values))

    def refuse(self, kind: OutcomeKind, error: str) -> None:
        """Answer a call that has not begun."""
        self.scheduler.answer(self._chunk, Outcome(self.invocation.id, kind, error=error))

    def expire(self, coroutine: object) -> None:
        """Answer in time; what the operation still brings is thrown away."""
        if self._started_unix_s:
            self.expire_inside(coroutine)
        else:
            error = "the deadline passed while other calls were inside the script; it was not run"
            self.refuse(OutcomeKind.DEADLINE_EXCEEDED, error)

    def expire_inside(self, coroutine: object) -> None:
        """End a call that has begun."""
        self.instance.state.cancel(coroutine)
        self.end(OutcomeKind.DEADLINE_EXCEEDED, "the deadline passed while the script waited")

    def exceed(self, coroutine: object) -> None:
        """Answer; the coroutine is never resumed, so no `pcall` of the script sees it."""
        self.instance.state.cancel(coroutine)
        self.end(OutcomeKind.CPU_LIMIT, f"the script used more than its {self.max_cpu_s:g} s of processor time")

    def give_up(self) -> None:
        """Answer; the coroutine is left where it is."""
        if self.deadline_unix_s <= time.time():
            error = "the deadline passed and the script did not give way; its worker was replaced"
            self.end(OutcomeKind.DEADLINE_EXCEEDED, error)
            return
        error = f"the script did not give way after its {self.max_cpu_s:g} s of processor time; its worker was replaced"
        self.end(OutcomeKind.CPU_LIMIT, error)

    def break_off(self, fault: str) -> None:
        """Answer, unless that is done; the coroutine is left where it is."""
        if not self._has_ended:
            self.end(OutcomeKind.SCRIPT_ERROR, f"internal error: {fault}")

    def after(self, step: Step) -> None:
        """Act on what a step came to."""
        kind = step[0]
        if kind == StepKind.DONE:
            self.done(step)
        elif kind == StepKind.FAILED:
            self._failed(step[1])
        elif kind == StepKind.PARKED:
            self.scheduler.park(self, step, self.instance.state)
        else:
            self.no_function()

    def done(self, step: Step) -> None:
        """Answer with what the function returned."""
        try:
            values = self.instance.state.values_of(step, self.scheduler.max_result_bytes)
        except MarshalError as exc:
            self.end(OutcomeKind.SCRIPT_ERROR, f"'{self.invocation.function}': {exc}")
        else:
            self.end(OutcomeKind.OK, "", values)

    def no_function(self) -> None:
        """Answer that there is no such function."""
        self.end(OutcomeKind.NO_SUCH_FUNCTION, no_function(self.invocation.function))

    def raised(self, text: str) -> None:
        """Answer with the error of the script."""
        name, count = self.invocation.function, len(self.invocation.args)
        self.end(OutcomeKind.SCRIPT_ERROR, call_failure(name, count, text))

    def end(self, kind: OutcomeKind, error: str, values: list[Any] | None = None) -> None:
        """Answer."""
        self._has_ended = True
        self.instance.call_count -= 1
        self.scheduler.left(self.instance, kind)
        queue_ms = max(0.0, (self._started_unix_s - self.invocation.submitted_unix_s) * 1000)
        run_ms = max(0.0, (time.time() - self._started_unix_s) * 1000)
        outcome = Outcome(self.invocation.id, kind, values or [], error, self.logs or [], queue_ms, run_ms)
        self.scheduler.answer(self._chunk, outcome)

    def _failed(self, text: bytes) -> None:
        cap_bytes = self.instance.package.max_memory_bytes
        if _NO_MEMORY in text and cap_bytes:
            self.end(OutcomeKind.MEMORY_LIMIT, f"the script needs more than its {cap_bytes} bytes of memory")
        else:
            self.raised(text_from_lua(text))


class LifeTask:
    """The steps of `script_init` or `script_deinit`."""

    def __init__(
        self,
        steps: Generator[Step, tuple[Any, ...], None],
        instance: Instance,
        scheduler: Scheduler,
        on_end: Callable[[str], None],
    ) -> None:
        """Set up without running.

        Args:
            steps: from ScriptLife.init or ScriptLife.deinit.
            instance: where they run.
            scheduler: the engine.
            on_end: is given why it failed, or an empty text.
        """
        self._steps = steps
        self.instance = instance
        self._state = instance.state
        self.note = script_note(instance.package_id)
        self._scheduler = scheduler
        self._on_end = on_end
        self.deadline_unix_s = time.time() + LIFE_LIMIT_S
        self.logs: list[LogLine] | None = None
        self.line_count = 0
        self.log_bytes = 0
        self.cpu_s = 0.0
        self.max_cpu_s = LIFE_LIMIT_S
        self.max_step_s = LIFE_STEP_FACTOR * (instance.package.max_cpu_s or scheduler.max_cpu_s)

    def begin(self) -> None:
        """Run to the first wait or the end."""
        self._advance(lambda: next(self._steps))

    def go_on(self, _coroutine: object, values: tuple[Any, ...]) -> None:
        """Run on with the operation's results."""
        self._advance(lambda: self._steps.send(values))

    def expire(self, _coroutine: object) -> None:
        """Give up."""
        self._steps.close()
        self._on_end(f"it still waited after {LIFE_LIMIT_S:g} s")

    def exceed(self, _coroutine: object) -> None:
        """Give up."""
        self._steps.close()
        self._on_end(f"it used more than {LIFE_LIMIT_S:g} s of processor time")

    def give_up(self) -> None:
        """Give up; the generator is not closed, as it runs."""
        self._on_end(f"it did not give way after {self.max_step_s:g} s of processor time; its worker was replaced")

    def break_off(self, fault: str) -> None:
        """Give up."""
        self._on_end(f"internal error: {fault}")

    def _advance(self, move: Callable[[], Step]) -> None:
        try:
            step = move()
        except StopIteration:
            self._on_end("")
        except ScriptError as exc:
            self._on_end(str(exc))
        else:
            self._scheduler.park(self, step, self._state)
