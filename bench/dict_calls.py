"""A worker's engine in this process with one script that uses dicts, for `bench.dict`: no queue, no second process."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from dispatcher.protocol.invocation import SCHEMA_VERSION, Invocation, ScriptPackage
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.settings import LogSettings, Settings
from workers.engine import Engine, EngineHost
from workers.operations.catalog import standard_catalog
from workers.script_log import ScriptLog
from workers.work import TakenChunk

if TYPE_CHECKING:
    from types import TracebackType

    from dispatcher.protocol.outcome import Outcome
    from dispatcher.protocol.settings import DictSettings
    from workers.work import Answer

SOURCE: Final = b"""
function lookup(d) return #d:lookup("shared/big/0000001") end
local puts = 0
function put(d)
   puts = puts + 1
   local t = d:transaction_begin()
   t:set("shared/put/" .. puts, "value")
   t:commit()
end
function count(d, path)
   local n = 0
   for _ in d:iterate(path, 0) do n = n + 1 end
   return n
end
"""
#: Far beyond what anything here takes, in seconds.
LIMIT_S: Final = 300.0
PACKAGE_ID: Final = b"bench"


class LuaCalls:
    """Calls functions of the script; a context manager."""

    def __init__(self, dicts: dict[str, DictSettings]) -> None:
        settings = Settings(dicts=dicts)
        self._package = ScriptPackage(
            SCHEMA_VERSION, "bench", "stream", SOURCE, "2.4", "5.4", {}, 0, max_cpu_s=LIMIT_S, dicts=list(dicts)
        )
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        log = ScriptLog(LogSettings(level="error"))
        host = EngineHost(self._deliver, lambda _note: None, lambda: None)
        self._engine = Engine(settings.engine, settings.lua, log, standard_catalog(settings), host)
        self._thread = threading.Thread(target=self._engine.run, name="engine")
        self._number = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.stop()
        self._thread.join()

    def call(self, function: str, name: str, *args: object) -> list[Any]:
        """Call a function with a dict and arguments; returns its results."""
        self._give([self._invocation(function, name, args)])
        return self._next()

    def together(self, function: str, name: str, count: int, in_flight: int) -> None:
        """Call a function many times, with so many in flight."""
        self._give([self._invocation(function, name, ()) for _ in range(in_flight)])
        for number in range(in_flight, count + in_flight):
            self._next()
            if number < count:
                self._give([self._invocation(function, name, ())])

    def _give(self, invocations: list[Invocation]) -> None:
        self._engine.give(TakenChunk("reply", invocations, {PACKAGE_ID: self._package}, None))

    def _next(self) -> list[Any]:
        outcome = self._outcomes.get(timeout=LIMIT_S)
        assert outcome.kind is OutcomeKind.OK, outcome.error
        return outcome.values

    def _invocation(self, function: str, name: str, args: tuple[object, ...]) -> Invocation:
        self._number += 1
        now_s = time.time()
        arguments = [{b"$dict": name.encode()}, *args]
        return Invocation(self._number, PACKAGE_ID, function, arguments, now_s + LIMIT_S, now_s, is_idempotent=True)

    def _deliver(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._outcomes.put(answer.outcome)
