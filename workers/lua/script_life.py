"""A script's life in its Lua state: compile, main chunk, script_init, calls, script_deinit.

Instances drive it; a stage may wait like any call, so loading is a sequence of steps. Error texts are Dovecot's.
Mirrors dlua_script_create_*, dlua_script_init and dlua_script_unref (Dovecot 2.3 and 2.4).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from workers.lua.runtime import LuaState, Step, StepKind, text_from_lua

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import ScriptPackage


class _Stage(Enum):
    MAIN = "main"
    INIT = "init"
    READY = "ready"


#: What `load` and `resume_load` return once the script is loaded.
READY: Final[Step] = (StepKind.DONE, 0)


class ScriptLife:
    """One script in one Lua state."""

    def __init__(
        self,
        package: ScriptPackage,
        natives: dict[str, Callable[..., object] | bool | bytes],
        on_error: Callable[[str], None],
    ) -> None:
        """Make the state; nothing of the script runs yet.

        Args:
            package: the script.
            natives: what the `dovecot` table builds on; must not refer to this object.
            on_error: is given the text of a failed script_deinit, which nobody waits for.
        """
        self._package = package
        self._on_error = on_error
        self.state = LuaState(package.lua, natives, package.max_memory_bytes)
        self._stage = _Stage.MAIN

    def load(self) -> Step:
        """Compile and run up to the first wait: READY, FAILED with a text, or PARKED."""
        message = self.state.compile(self._source(), self._chunk_name())
        if message:
            return StepKind.FAILED, f"lua_load({self._load_name()}) failed: {message}".encode()
        return self._after(self.state.start_main())

    def resume_load(self, coroutine: object, values: tuple[Any, ...]) -> Step:
        """Go on with loading after an operation."""
        return self._after(self.state.resume(coroutine, values))

    def close(self) -> None:
        """Run script_deinit, even after a failed load; its failure is only reported."""
        if not self.state.has_function(b"script_deinit"):
            return
        step = self.state.start(b"script_deinit", [])
        if step[0] == StepKind.FAILED:
            self._on_error(f"script_deinit() failed: lua_pcall(script_deinit, 0, 0) failed: {text_from_lua(step[1])}")
        elif step[0] == StepKind.PARKED:
            self._on_error("script_deinit() failed: it may not wait for anything")

    def _after(self, step: Step) -> Step:
        if step[0] == StepKind.PARKED:
            return step
        if step[0] == StepKind.FAILED:
            return StepKind.FAILED, self._failure(text_from_lua(step[1])).encode()
        if self._stage is _Stage.MAIN and self.state.has_function(b"script_init"):
            self._stage = _Stage.INIT
            return self._after(self.state.start(b"script_init", self._init_arguments()))
        if self._stage is _Stage.INIT and self._package.dialect == "2.3":
            refusal = _refusal_of_23(step)
            if refusal:
                return StepKind.FAILED, refusal.encode()
        self._stage = _Stage.READY
        return READY

    def _init_arguments(self) -> list[Any]:
        if self._package.dialect == "2.3":
            return []
        return [{key.encode(): value.encode() for key, value in self._package.settings.items()}]

    def _failure(self, text: str) -> str:
        if self._stage is _Stage.MAIN:
            return f"lua_pcall({self._package.name}) failed: {text}"
        return f"lua_pcall(script_init, {len(self._init_arguments())}, 0) failed: {text}"

    def _source(self) -> bytes:
        source = self._package.source
        if self._package.origin == "file" and source.startswith(b"#"):
            # Lua's file loader skips a first line that starts with `#` and keeps the line count.
            return b"--" + source
        return source

    def _chunk_name(self) -> bytes:
        if self._package.origin == "string":
            return self._package.source
        prefix = "@" if self._package.origin == "file" else ""
        return f"{prefix}{self._package.name}".encode()

    def _load_name(self) -> str:
        return "<string>" if self._package.origin == "string" else self._package.name


def _refusal_of_23(step: Step) -> str:
    """Dovecot 2.3: script_init must return the integer 0."""
    result = step[2] if len(step) > 2 else None  # noqa: PLR2004 - kind and count stand before the results
    if not isinstance(result, int | float) or isinstance(result, bool) or result != int(result):
        return "script_init() returned non-number"
    return "Script init failed" if result != 0 else ""
