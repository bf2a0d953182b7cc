"""An engine on a thread of its own, with chunks and outcomes in memory: for the tests of this folder."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from dispatcher.protocol.invocation import SCHEMA_VERSION, Invocation, ScriptPackage, normalise_arguments
from dispatcher.protocol.outcome import Outcome
from dispatcher.protocol.settings import EngineSettings, LogSettings, LuaSettings, Settings
from tests.waiting import wait_until
from workers.engine import Engine, EngineHost
from workers.operations.catalog import Catalog, standard_catalog
from workers.script_log import ScriptLog
from workers.work import Answer, TakenChunk


def package_of(source: bytes, **changes: Any) -> ScriptPackage:
    """A script as it is shipped; each source is one of its own."""
    values = {"dialect": "2.4", "lua": "5.4", "settings": {}, "max_memory_bytes": 0, **changes}
    return ScriptPackage(SCHEMA_VERSION, "script", "stream", source, **values)


class EngineRun:
    """Calls functions of scripts; the outcomes are in `outcomes`, by the number of the call."""

    def __init__(self, catalog: Catalog | None = None, host: str = "", **settings: Any) -> None:
        self._host = host
        self.outcomes: dict[int, Outcome] = {}
        #: Is called at each delivery, on the engine's thread.
        self.on_delivery: Callable[[], object] = lambda: None
        self.is_stuck = threading.Event()
        self._numbers = itertools.count(1)
        self.engine = Engine(
            EngineSettings(**settings),
            LuaSettings(),
            ScriptLog(LogSettings(level="error")),
            catalog or standard_catalog(Settings()),
            EngineHost(self._deliver, lambda _note: None, self.is_stuck.set),
        )
        self._thread = threading.Thread(target=self.engine.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.engine.stop()
        if not self.is_stuck.is_set():
            self._thread.join(10)
            assert not self._thread.is_alive()

    def give(self, *calls: tuple[ScriptPackage, str, list[Any], float]) -> list[int]:
        """Give one chunk of calls (package, function, arguments, seconds until the deadline); returns their numbers."""
        now_s = time.time()
        invocations = [
            self._invocation(package, function, args, now_s + wait_s) for package, function, args, wait_s in calls
        ]
        packages = {package.source: package for package, *_ in calls}
        self.engine.give(TakenChunk("reply", invocations, packages, None))
        return [invocation.id for invocation in invocations]

    def _invocation(self, package: ScriptPackage, function: str, args: list[Any], deadline_unix_s: float) -> Invocation:
        values = normalise_arguments(args)
        number = next(self._numbers)
        now_s = time.time()
        return Invocation(number, package.source, function, values, deadline_unix_s, now_s, True, self._host)  # noqa: FBT003

    def outcome(self, number: int, limit_s: float = 10.0) -> Outcome:
        """Wait for the outcome of a call."""
        wait_until(lambda: number in self.outcomes, limit_s)
        return self.outcomes[number]

    def call(self, package: ScriptPackage, function: str, *args: Any, deadline_s: float = 10.0) -> Outcome:
        """Call a function and wait for its outcome."""
        (number,) = self.give((package, function, list(args), deadline_s))
        return self.outcome(number)

    def _deliver(self, answers: list[Answer]) -> None:
        self.on_delivery()
        self.outcomes.update((answer.outcome.invocation_id, answer.outcome) for answer in answers)
