"""The coroutine scheduler of one worker: starts invocations, parks them on operations, resumes and ends them.

Runs on a thread of its own and is the only one that touches Lua. The taking thread gives it chunks; it gives answers to
the outbox. It never waits for Redis and never raises: whatever happens to an invocation becomes its outcome.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.outcome import Outcome, OutcomeKind
from workers.call_log import CallLog
from workers.instances import Instance, InstanceCache
from workers.lua.marshal import MarshalError
from workers.lua.runtime import StepKind, text_from_lua
from workers.lua.script_life import ScriptLife
from workers.work import Answer, TakenChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import Invocation, ScriptPackage
    from dispatcher.protocol.outcome import LogLine
    from dispatcher.protocol.settings import EngineSettings, LuaSettings
    from workers.lua.runtime import Step

#: Answers that are gathered before they go to the outbox while there is more to do.
FLUSH_EVERY: Final = 128

#: Seconds for which an answer may be held back while the next calls run.
FLUSH_AFTER_S: Final = 0.005

#: What Lua says when its memory cap is reached.
_NO_MEMORY: Final = b"not enough memory"


@dataclass(slots=True, eq=False)
class _Call:
    """An invocation that runs or is parked."""

    invocation: Invocation
    chunk: TakenChunk
    instance: Instance
    started_unix_s: float
    logs: list[LogLine] | None = None


class Engine:
    """Runs invocations; `give` and `stop` are called from other threads, everything else from `run`."""

    def __init__(self, settings: EngineSettings, lua: LuaSettings, deliver: Callable[[list[Answer]], None]) -> None:
        """Set up without running.

        Args:
            settings: the bounds.
            lua: what scripts may reach.
            deliver: is given answers; must not block.
        """
        self._settings = settings
        self._lua = lua
        self._deliver = deliver
        self._inbox: SimpleQueue[TakenChunk | None] = SimpleQueue()
        self._log = CallLog(settings.max_log_lines, settings.max_log_line_bytes)
        self._instances = InstanceCache(settings.max_instances, self._make_life)
        self._answers: list[Answer] = []
        self._oldest_s = 0.0
        #: Outcomes by kind since the start.
        self.counts: Counter[str] = Counter()

    @property
    def instance_count(self) -> int:
        """Scripts that are loaded."""
        return len(self._instances)

    def give(self, chunk: TakenChunk) -> None:
        """Take a chunk to run."""
        self._inbox.put(chunk)

    def stop(self) -> None:
        """Let `run` return after the chunks that were given before."""
        self._inbox.put(None)

    def run(self) -> None:
        """Run until `stop`; then unload all scripts."""
        while True:
            if self._answers and self._inbox.empty():
                self._flush()
            chunk = self._inbox.get()
            if chunk is None:
                break
            for invocation in chunk.invocations:
                self._begin(invocation, chunk)
        self._flush()
        self._instances.close()

    def _begin(self, invocation: Invocation, chunk: TakenChunk) -> None:
        if invocation.deadline_unix_s <= time.time():
            error = "the deadline passed while the invocation was queued; it was not run"
            self._answer(chunk, Outcome(invocation.id, OutcomeKind.DEADLINE_EXCEEDED, error=error))
            return
        instance = self._instances.get(invocation.package_id) or self._load(invocation.package_id, chunk)
        if instance is None:
            error = f"script package {invocation.package_id.hex()[:12]}… is not in Redis"
            self._answer(chunk, Outcome(invocation.id, OutcomeKind.UNAVAILABLE, error=error))
        elif instance.is_ready:
            self._enter(invocation, chunk, instance)
        elif instance.error:
            self._answer(chunk, Outcome(invocation.id, OutcomeKind.LOAD_ERROR, error=instance.error))
        else:
            instance.waiting.append(lambda _instance: self._begin(invocation, chunk))

    def _enter(self, invocation: Invocation, chunk: TakenChunk, instance: Instance) -> None:
        call = _Call(invocation, chunk, instance, time.time())
        instance.call_count += 1
        self._log.enter(call)
        self._after(call, instance.state.start(invocation.function.encode(), invocation.args))

    def _after(self, call: _Call, step: Step) -> None:
        kind = step[0]
        if kind == StepKind.DONE:
            self._end_ok(call, step)
        elif kind == StepKind.FAILED:
            self._end_failed(call, step[1])
        elif kind == StepKind.NO_FUNCTION:
            self._end(call, OutcomeKind.NO_SUCH_FUNCTION, f"'{call.invocation.function}' is not a function")
        else:
            self._end(call, OutcomeKind.SCRIPT_ERROR, f"unknown operation {step[2]!r}")

    def _end_ok(self, call: _Call, step: Step) -> None:
        try:
            values = call.instance.state.values_of(step, self._settings.max_result_bytes)
        except MarshalError as exc:
            self._end(call, OutcomeKind.SCRIPT_ERROR, f"'{call.invocation.function}': {exc}")
        else:
            self._end(call, OutcomeKind.OK, "", values)

    def _end_failed(self, call: _Call, text: bytes) -> None:
        if _NO_MEMORY in text and call.instance.package.max_memory_bytes:
            cap = call.instance.package.max_memory_bytes
            self._end(call, OutcomeKind.MEMORY_LIMIT, f"the script needs more than its {cap} bytes of memory")
            return
        name, count = call.invocation.function, len(call.invocation.args)
        self._end(call, OutcomeKind.SCRIPT_ERROR, f"lua_pcall({name}, {count}, -1) failed: {text_from_lua(text)}")

    def _end(self, call: _Call, kind: OutcomeKind, error: str, values: list[Any] | None = None) -> None:
        call.instance.call_count -= 1
        queue_ms = max(0.0, (call.started_unix_s - call.invocation.submitted_unix_s) * 1000)
        run_ms = max(0.0, (time.time() - call.started_unix_s) * 1000)
        self._answer(
            call.chunk, Outcome(call.invocation.id, kind, values or [], error, call.logs or [], queue_ms, run_ms)
        )

    def _answer(self, chunk: TakenChunk, outcome: Outcome) -> None:
        self.counts[outcome.kind] += 1
        now_s = time.monotonic()
        if not self._answers:
            self._oldest_s = now_s
        self._answers.append(Answer(chunk, outcome))
        if len(self._answers) >= FLUSH_EVERY or now_s - self._oldest_s >= FLUSH_AFTER_S:
            self._flush()

    def _flush(self) -> None:
        if self._answers:
            answers, self._answers = self._answers, []
            self._deliver(answers)

    def _load(self, package_id: bytes, chunk: TakenChunk) -> Instance | None:
        package = chunk.packages.get(package_id)
        if package is None:
            return None
        instance = self._instances.add(package_id, package)
        self._log.enter(None)
        step = instance.life.load()
        if step[0] == StepKind.DONE:
            instance.get_ready()
        else:
            instance.fail(text_from_lua(step[1]))
        return instance

    def _make_life(self, package: ScriptPackage) -> ScriptLife:
        natives: dict[str, Callable[..., object] | bool | bytes] = {
            "log": self._log.native(package.name),
            "c_modules": self._lua.c_modules,
        }
        return ScriptLife(package, natives, self._log.reporter(package.name))
