"""The life of a script in its state: load, run, initialise, end; with Dovecot's error text at each point.

The engine drives it. What may wait is a generator of coroutine steps:

    life = ScriptLife(state, source, dialect="2.4", settings={"url": "…"})
    life.load()            # compiles; raises ScriptError
    steps = life.init()    # main chunk, then script_init; raises ScriptError while it runs
    steps = life.deinit()  # script_deinit; never raises, logs a failure

A generator yields each PARKED step `(PARKED, coroutine, operation, arguments…)`; the driver runs the operation and
hands its results in with `steps.send(results)`. At its end the script is ready: calls go through `state.start` and
`state.resume`. `deinit()` is to be driven to its end even after a failed `load()` or `init()`.

**Mirrors** dlua-script.c of 2.4 and, for dialect 2.3, of 2.3.21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol.errors import LualoftError
from workers.api.dialects import DIALECTS
from workers.lua.runtime import StepKind, text_from_lua

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from workers.lua.runtime import LuaState, Step
    from workers.lua.script_source import ScriptSource

#: How upstream writes "as many results as there are".
MULTIPLE_RESULTS: Final = -1


class ScriptError(LualoftError):
    """A script that does not load, run or initialise; the text is Dovecot's."""


def call_failure(function: str, argument_count: int, text: str, result_count: int = MULTIPLE_RESULTS) -> str:
    """Word the failure of a call as dlua_pcall does.

    Args:
        function: name of the called function.
        argument_count: how many arguments it was given.
        text: what the FAILED step carried.
        result_count: how many results the caller asked for.
    """
    return f"lua_pcall({function}, {argument_count}, {result_count}) failed: {text}"


def no_function(function: str) -> str:
    """Word the call of something that is no function, as dlua_pcall does."""
    return f"'{function}' is not a function"


class ScriptLife:
    """One script in one state. `init` and `deinit` happen once: a second call does nothing and succeeds."""

    def __init__(
        self, state: LuaState, source: ScriptSource, *, dialect: str = "2.4", settings: Mapping[str, str] | None = None
    ) -> None:
        self._state = state
        self._source = source
        self._dialect = DIALECTS[dialect]
        self._settings = {name.encode(): value.encode() for name, value in (settings or {}).items()}
        self._has_begun = False
        self._has_ended = False

    def load(self) -> None:
        """Compile the script; nothing in it runs.

        Raises:
            ScriptError: `lua_load(NAME) failed: …`, NAME being `<string>` for a script given as a string.
        """
        message = self._state.compile(self._source.text, self._source.chunk_name)
        if message:
            raise ScriptError(f"lua_load({self._source.load_name}) failed: {message}")

    def init(self) -> Generator[Step, tuple[Any, ...], None]:
        """Run the main chunk, then `script_init` if it is a function.

        Raises:
            ScriptError: the first of them that failed. A second `init` succeeds all the same, as Dovecot's does.
        """
        if self._has_begun:
            return
        self._has_begun = True
        done = yield from _to_end(self._state, self._state.start_main())
        if done[0] == StepKind.FAILED:
            raise ScriptError(f"lua_pcall({self._source.name}) failed: {text_from_lua(done[1])}")
        if not self._state.has_function(b"script_init"):
            return
        args = [self._settings] if self._dialect.gives_settings_to_init else []
        done = yield from _to_end(self._state, self._state.start(b"script_init", args))
        self._check_init(done, len(args))

    def deinit(self) -> Generator[Step, tuple[Any, ...], None]:
        """Call `script_deinit` if it is a function, also after a failed init. A failure is logged, nothing else.

        Then the script's finalisers: the state can be let go of.
        """
        if self._has_ended:
            return
        self._has_ended = True
        try:
            yield from self._call_deinit()
        finally:
            self._state.close()

    def _call_deinit(self) -> Generator[Step, tuple[Any, ...], None]:
        if not self._state.has_function(b"script_deinit"):
            return
        done = yield from _to_end(self._state, self._state.start(b"script_deinit", []))
        if done[0] == StepKind.FAILED:
            failure = call_failure("script_deinit", 0, text_from_lua(done[1]), result_count=0)
            self._state.log_on_script_event(b"error", f"script_deinit() failed: {failure}".encode())

    def _check_init(self, done: Step, argument_count: int) -> None:
        result_count = 0 if self._dialect.gives_settings_to_init else 1
        if done[0] == StepKind.FAILED:
            raise ScriptError(call_failure("script_init", argument_count, text_from_lua(done[1]), result_count))
        if self._dialect.gives_settings_to_init:
            return
        _, count, *results = done
        result = results[0] if count else None
        if not isinstance(result, int) or isinstance(result, bool):
            raise ScriptError("script_init() returned non-number")
        if result != 0:
            raise ScriptError("Script init failed")


def _to_end(state: LuaState, step: Step) -> Generator[Step, tuple[Any, ...], Step]:
    while step[0] == StepKind.PARKED:
        try:
            values = yield step
        except GeneratorExit:
            # The driver gave up: nothing of the coroutine will run again.
            state.cancel(step[1])
            raise
        step = state.resume(step[1], values)
    return step
