"""The coroutine scheduler of one worker: starts invocations, parks them on operations, resumes and ends them.

Runs on a thread of its own and is the only one that touches Lua. The taking thread gives it chunks; it gives answers to
the outbox. It never waits for Redis and never raises: whatever happens to an invocation becomes its outcome.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from workers.admission import Admission
from workers.breaker import Breaker
from workers.call_log import CallLog
from workers.gathering import Gathering
from workers.instances import InstanceCache
from workers.lua.marshal import MarshalError
from workers.lua.time_slice import TimeSlice
from workers.natives import natives_of
from workers.operations.runner import OperationRunner
from workers.parking import ParkingLot, Place
from workers.ready import Finished, Ready
from workers.running_note import NOBODY
from workers.watch import Watch
from workers.work import Answer, TakenChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dispatcher.protocol.outcome import Outcome, OutcomeKind
    from dispatcher.protocol.settings import EngineSettings, LuaSettings
    from workers.instances import Instance
    from workers.lua.runtime import LuaState, Step
    from workers.operations.catalog import Catalog
    from workers.script_log import ScriptLog
    from workers.tasks import Task

_log: Final = logging.getLogger("lualoft.engine")

#: Hashes that make a long line: about as many milliseconds.
LONG_LINE: Final = 16

#: Characters of an error text that travel back; a script chooses them.
MAX_ERROR_CHARS: Final = 16 * 1024

#: The operation that needs no thread: (seconds).
SLEEP: Final = b"sleep"

#: The operation of a call whose time slice is over (workers/lua/calls.lua); it has no arguments and no results.
SLICE: Final = b"slice"

#: Place of the operation's name in a PARKED step.
_OPERATION: Final = 2


class EngineHost(NamedTuple):
    """What an engine's process does for it."""

    #: Is given answers; must not block.
    deliver: Callable[[list[Answer]], None]
    #: Writes down who runs (running_note.py).
    note: Callable[[bytes], None]
    #: Called once if a script does not give way: its call is answered, `run` will never return, and nothing that was
    #: not answered runs any more.
    on_stuck: Callable[[], None]


class _Stop:
    """The end of `run`."""


class Engine:
    """Runs invocations; `give` and `stop` are called from other threads, everything else from `run`."""

    def __init__(
        self,
        settings: EngineSettings,
        lua: LuaSettings,
        script_log: ScriptLog,
        catalog: Catalog,
        host: EngineHost,
    ) -> None:
        """Set up without running.

        Args:
            settings: the bounds.
            lua: what scripts may reach.
            script_log: takes what scripts log.
            catalog: the operations that scripts can wait for.
            host: what the process does for the engine.
        """
        self._settings = settings
        self._host = host
        #: Scripts that are parked; the process shares it with other workers.
        self.breaker = Breaker(settings.max_limit_hits, settings.park_s)
        self._note = host.note
        self._inbox: SimpleQueue[TakenChunk | Finished | _Stop] = SimpleQueue()
        self._ready = Ready()
        self._call_log = CallLog(
            settings.max_log_lines,
            settings.max_log_line_bytes,
            script_log.write,
            script_log.debug_filter,
            script_log.print_line,
        )
        self._slice = TimeSlice()
        self._watch = Watch(self._slice, settings.slice_ms / 1000, self._give_up)
        natives = natives_of(lua, self._call_log, catalog.natives)
        self._instances = InstanceCache(settings.max_instances, natives, self._slice, self._unload)
        self._parking = ParkingLot()
        self._admission = Admission(self, self._instances, self.breaker, self._parking)
        self._operations = OperationRunner(settings.max_operations, catalog, self._operation_ended)
        self._gathering = Gathering(host.deliver, lambda: self._operations.computing_count)
        #: Does a call go on whose hash was computed?
        self._is_computed = False
        #: When the running step began, in seconds of its clock: processor time of this thread, or real time.
        self._step_clock = time.monotonic
        self._step_began_s = 0.0
        #: Outcomes by kind since the start.
        self.counts: Counter[str] = Counter()

    @property
    def instance_count(self) -> int:
        """Scripts that are loaded."""
        return len(self._instances)

    @property
    def has_long_line(self) -> bool:
        """Do so many hashes wait that another worker would compute the next one sooner? From any thread."""
        return self._operations.computing_count >= LONG_LINE

    @property
    def max_result_bytes(self) -> int:
        """Cap of a call's results."""
        return self._settings.max_result_bytes

    @property
    def max_cpu_s(self) -> float:
        """Processor time of a call whose script has no limit of its own."""
        return self._settings.max_cpu_s

    def give(self, chunk: TakenChunk) -> None:
        """Take a chunk to run."""
        self._inbox.put(chunk)

    def stop(self) -> None:
        """Let `run` return soon; what it has not answered by then it does not run any more."""
        self._inbox.put(_Stop())

    def abandon(self) -> None:
        """Give up a `run` that lasts, held up by a script or not: nothing begins any more. From any thread."""
        self._slice.abandon()

    def run(self) -> None:
        """Run until `stop`; then unload all scripts."""
        self._watch.start()
        while self._take_in():
            self._turn()
        # Before script_deinit and operations that are slow to end: who drains us does not wait for those for ever.
        self._gathering.flush()
        self._instances.close()
        self._watch.stop()
        self._operations.stop()

    def _take_in(self) -> bool:
        """Sort in what has arrived; wait for something when nothing can run. Returns False at the end."""
        item = None if self._ready and self._inbox.empty() else self._next()
        while item is not None:
            if isinstance(item, TakenChunk):
                self._ready.add_chunk(item)
            elif isinstance(item, Finished):
                self._ready.add_finished(item)
            else:
                return False
            item = None if self._inbox.empty() else self._inbox.get()
        return True

    def _next(self) -> TakenChunk | Finished | _Stop | None:
        wait_s = self._parking.next_wait_s()
        if self._inbox.empty():
            held_s = self._gathering.rest()
            wait_s = held_s if wait_s is None else min(wait_s, held_s or wait_s)
            self._slice.rest()
            self._note(NOBODY)
        try:
            return self._inbox.get(timeout=wait_s)
        except Empty:
            return None

    def _turn(self) -> None:
        """Run a few of each kind."""
        self._run_due()
        for token, values in self._ready.take_finished():
            self._go_on(self._parking.take(token), values)
        for instance in self._ready.take_roomy():
            self._admission.let_in(instance)
        for invocation, chunk in self._ready.take_fresh():
            self._admission.begin(invocation, chunk)
        interrupted = self._ready.take_interrupted()
        if interrupted is None:
            return
        # The slice may last; nobody else's answer waits for it.
        self._gathering.flush()
        task, coroutine = interrupted
        if task.deadline_unix_s <= time.time():
            instance = task.instance
            self.breaker.note_overdue(instance.package_id, instance.package, task.cpu_s / task.max_cpu_s)
            self.step(task, task.expire, coroutine)
        else:
            self.step(task, task.go_on, coroutine, ())

    # What tasks ask for.

    def step(self, task: Task, move: Callable[..., None], *args: object) -> None:
        """Make a move of a task's, and note whose it is. A bug ends the call that met it, and not everybody's."""
        self._call_log.enter(task)
        self._note(task.note)
        self._slice.enter(task)
        # Most calls are one step, for which the processor's clock would cost ten times as much as this one.
        self._step_clock = time.thread_time if task.cpu_s else time.monotonic
        self._step_began_s = self._step_clock()
        try:
            move(*args)
        except Exception as exc:  # noqa: BLE001 - an outcome is made of it
            _log.error("a call of %s met a bug of lualoft's", task.instance.package.name, exc_info=exc)
            task.break_off(type(exc).__name__)

    def park(self, task: Task, step: Step, state: LuaState) -> None:
        """Run the operation of a PARKED step and go on with the task afterwards."""
        name, coroutine = step[_OPERATION], step[1]
        # Whatever ends a step: waits do not make a call that computes between them a modest one.
        task.cpu_s += self._step_clock() - self._step_began_s
        if task.cpu_s > task.max_cpu_s:
            task.exceed(coroutine)
        elif name == SLICE:
            # A turn may be 32 calls that all compute: no answer waits for more than one slice.
            self._gathering.flush()
            self._ready.add_interrupted(task, coroutine)
        else:
            self._wait(task, step, state)

    def _wait(self, task: Task, step: Step, state: LuaState) -> None:
        """Run the operation of a step that waits."""
        name = step[_OPERATION]
        token = self._parking.enter(task, step[1], is_computed=self._operations.computes(name))
        try:
            args = state.arguments_of(step)
        except MarshalError as exc:
            self._operation_ended(token, (None, str(exc).encode()))
            return
        if name == SLEEP:
            self._parking.wake_at(token, time.time() + args[0])
        elif self._operations.is_known(name):
            self._operations.start(token, name, args)
        else:
            self._operation_ended(token, (None, b"unknown operation " + name))

    def run_operation(self, task: Task, name: bytes, args: Sequence[Any]) -> None:
        """Run an operation for the task itself; it goes on with the results and None for a coroutine."""
        token = self._parking.enter(task, None, is_computed=self._operations.computes(name))
        self._operations.start(token, name, args)

    def log(self, script_name: str, level: str, text: bytes) -> None:
        """Log what the host has to say about the running task."""
        self._call_log.write(script_name, level, text)

    def answer(self, chunk: TakenChunk, outcome: Outcome) -> None:
        """Deliver an outcome."""
        if len(outcome.error) > MAX_ERROR_CHARS:
            outcome = outcome.with_short_error(MAX_ERROR_CHARS)
        self.counts[outcome.kind] += 1
        self._gathering.add(Answer(chunk, outcome), is_computed=self._is_computed)

    def left(self, instance: Instance, kind: OutcomeKind) -> None:
        """Note that a call has left an instance, and how: another may come in."""
        self.breaker.note(instance.package_id, instance.package, kind)
        if instance.has_outside:
            self._ready.add_roomy(instance)

    def _operation_ended(self, token: int, values: tuple[Any, ...]) -> None:
        self._inbox.put(Finished(token, values))

    def _unload(self, instance: Instance) -> None:
        self._admission.unload(instance)

    def _give_up(self, number: int) -> bool:
        """Answer the call of a step that is stuck and end the engine; on the watch's thread, in place of our own."""
        if not self._slice.abandon(number):
            return False
        task = self._slice.task
        task.give_up()
        self.breaker.note_stuck(task.instance.package_id, task.instance.package)
        self._gathering.flush()
        self._host.on_stuck()
        # Last: whatever becomes of the log, the calls have their answers.
        _log.error("a script does not give way; this worker ends and its other calls run elsewhere")
        return True

    def _go_on(self, place: Place | None, values: tuple[Any, ...]) -> None:
        # None: its deadline came first, and the results are nobody's.
        if place is not None:
            self._is_computed = place.is_computed
            self.step(place.task, place.task.go_on, place.coroutine, values)
            self._is_computed = False

    def _run_due(self) -> None:
        for token, place, is_wake in self._parking.take_due():
            if is_wake:
                self._go_on(place, ())
            else:
                self._operations.cancel(token)
                self.step(place.task, place.task.expire, place.coroutine)
