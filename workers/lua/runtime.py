"""A Lua state for one instance: loading, calls as coroutines, bytes in and out, no way into Python.

The only importer of lupa. Instances call it from the engine's thread; it knows nothing of chunks or Redis.
It must never give a script a Python object that leads further than the function itself.
"""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from enum import IntEnum
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from workers.api.dialects import DIALECTS
from workers.api.native import NATIVES
from workers.lua.c_modules import open_to_c_modules, opened_version, search_paths
from workers.lua.host_files import byte_code, files_of, module_names, module_source, part_code, prepare_parts, source_of
from workers.lua.marshal import ARGUMENT_LIMIT, ValueLimit, from_lua, is_plain
from workers.lua.time_slice import TimeSlice
from workers.lua.versions import LUA_MODULES

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What Lua says when it has run out of memory.
NO_MEMORY: Final = b"not enough memory"

#: How a native looks to Lua: a function of plain values, or a constant.
Native = Callable[..., object] | bool | int | bytes


#: What becomes a Lua table.
_CONTAINERS: Final = (dict, list)

#: So many numbers and the like are results whose size nobody needs to count.
MAX_UNCOUNTED_VALUES: Final = 16

#: Lua versions whose `require` puts the line break in front of each searcher's text itself.
_JOINS_SEARCHERS: Final = frozenset({"5.4", "5.5"})


class StepKind(IntEnum):
    """What a step of a coroutine came to; the numbers stand in prelude.lua too."""

    DONE = 0
    FAILED = 1
    NO_FUNCTION = 2
    PARKED = 3


#: For the path of every step: a member of an enum costs more to look up.
_FAILED: Final = int(StepKind.FAILED)

#: (StepKind, …): DONE, count, values… · FAILED, text · NO_FUNCTION, 0 · PARKED, coroutine, operation, arguments…
Step = tuple[Any, ...]


class LuaState:
    """One Lua state with the `dovecot` table, and the calls that run in it.

    A reference cycle through Lua is never collected: natives must not refer to the state or its owner.
    """

    __slots__ = (
        "__weakref__",
        "_break_off",
        "_cancel",
        "_close",
        "_closed",
        "_collect",
        "_compile",
        "_dump",
        "_exports",
        "_has_function",
        "_load",
        "_log_on_script_event",
        "_max_memory_bytes",
        "_memory_kb",
        "_module",
        "_resume",
        "_runtime",
        "_start",
        "_start_main",
        "_start_with_objects",
        "_time_slice",
    )

    def __init__(
        self,
        version: str,
        natives: Mapping[str, Native],
        max_memory_bytes: int = 0,
        *,
        dialect: str = "2.4",
        host_files: tuple[tuple[str, str], ...] = (),
        time_slice: TimeSlice | None = None,
    ) -> None:
        """Make the state and run all Lua files of ours in it.

        Args:
            version: a key of `LUA_MODULES`.
            natives: `log(level, text)`, and what else the host gives:
                `log_event(*SentEvent)`: one logged event (workers/api/record.py); without it `log` gets the text.
                `print(text)`: what `print` and `warn` write; without it Lua writes it to the process's own output.
                `wants_debug(text, name, file, line, packed_fields) -> bool`: is this debug line wanted?
                `var_expand(template) -> (True, text) | (False, detail)`.
                `http_*`: what dovecot.http is made of (workers/http/natives.py); without them a state has none.
                `c_modules` (bool), `profile` (b"trusted" or b"restricted"), `lua_path` (`;` separated).
            max_memory_bytes: cap of the state's memory; 0 means none.
            dialect: a key of `DIALECTS`.
            host_files: (package, file) of further Lua files, run like those of `API_FILES` before the script.
            time_slice: makes calls give way; None: they run to their next wait or end.
        """
        module = _lua_module(version)
        natives = {**natives, **_c_module_natives(version, is_wanted=bool(natives.get("c_modules")))}
        # Without one there is nobody to ask; only what `_guarded` notes is wanted then.
        self._time_slice = time_slice or TimeSlice()
        if time_slice:
            natives.update(time_slice.natives(module, version))
        self._module = module
        self._max_memory_bytes = max_memory_bytes
        # 0 keeps the cap switchable; lupa cannot set one on a state made with None.
        options: dict[str, Any] = {"max_memory": 0} if max_memory_bytes else {}
        self._runtime = module.LuaRuntime(
            encoding=None,
            source_encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_deny_attribute,
            overflow_handler=float,
            **options,
        )
        self._load, self._dump = self._runtime.execute(source_of("workers.lua", "bytecode.lua"))
        prepare_parts(module, self._dump)
        host = self._run_file("workers.lua", "prelude.lua", self._native_table(version, dialect, natives))
        for package, name in (*files_of(version, has_cap=max_memory_bytes > 0), *host_files):
            self._run_file(package, name, host)
        host[b"finish"]()
        del self._load, self._dump
        self._start = host[b"start"]
        self._start_with_objects = host[b"start_with_objects"]
        self._resume = host[b"resume"]
        self._cancel = host[b"cancel"]
        self._break_off = host[b"break_off"]
        self._collect = host[b"collect"]
        self._close = host[b"close"]
        self._closed = host[b"closed"]
        self._compile = host[b"compile"]
        self._start_main = host[b"start_main"]
        self._log_on_script_event = host[b"log_on_script_event"]
        self._has_function = host[b"has_function"]
        self._memory_kb = host[b"memory_kb"]
        self._exports = host[b"exports"]

    def compile(self, source: bytes, chunk_name: bytes) -> str:
        """Compile the script without running it; returns Lua's message, empty when it compiled."""
        message = self._compile(source, chunk_name)
        return "" if message is None else text_from_lua(message)

    def start_main(self) -> Step:
        """Start the compiled script's main chunk as a coroutine."""
        return self._guarded(self._start_main, ())

    def start(self, function: bytes, args: list[Any]) -> Step:
        """Start the global function `function` as a coroutine.

        Args:
            function: its name in `_G`, looked up without metamethods.
            args: normalised values (see `dispatcher.protocol.invocation`); one like {b"$dns": True} becomes an object
                of the host (workers/api/objects.lua).
        """
        start = self._start
        for arg in args:
            if not is_plain(arg):
                start = self._start_with_objects if any(map(_is_object, args)) else start
                args = [arg if is_plain(arg) else self._to_lua(arg) for arg in args]
                break
        return self._guarded(start, (function, *args))

    def resume(self, coroutine: object, values: tuple[Any, ...]) -> Step:
        """Go on with a parked coroutine; its operation returns `values`."""
        return self._guarded(self._resume, (coroutine, *(v if is_plain(v) else self._to_lua(v) for v in values)))

    def call_export(self, name: bytes, args: tuple[Any, ...]) -> Step:
        """Call a step function that a host's Lua file has put into `host.exports`; lists and dicts become tables."""
        # A coroutine goes back as it came.
        converted = tuple([self._to_lua(arg) if isinstance(arg, _CONTAINERS) else arg for arg in args])
        return self._guarded(self._exports[name], converted)

    def cancel(self, coroutine: object) -> None:
        """End a parked call that nobody waits for: its to-be-closed variables are closed (Lua 5.4 on)."""
        self._guarded(self._cancel, (coroutine,))

    def close(self) -> None:
        """Call what the script left of finalisers, where a watch still sees it. The state's last step."""
        self._guarded(self._close, ())
        self._closed()

    def log_on_script_event(self, level: bytes, text: bytes) -> None:
        """Log on the script event, as Dovecot itself does about a script: one line of `text` each."""
        for line in text.split(b"\n"):
            self._log_on_script_event(level, line)

    def has_function(self, name: bytes) -> bool:
        """Is the global `name` a function (raw lookup)?"""
        return bool(self._has_function(name))

    def values_of(self, step: Step, limit_bytes: int) -> list[Any]:
        """Turn the results of a DONE step into values that can travel.

        Raises:
            MarshalError: a result has no form outside Lua, or they are larger than `limit_bytes` together.
        """
        values = step[2:]
        if len(values) <= MAX_UNCOUNTED_VALUES:
            for value in values:
                if not is_plain(value) or value.__class__ is bytes:
                    break
            else:
                return list(values)
        return from_lua(values, ValueLimit(limit_bytes), self._module.lua_type)

    def arguments_of(self, step: Step) -> list[Any]:
        """Turn the arguments of a PARKED step's operation into values for Python.

        Raises:
            MarshalError: as `values_of`; past `ARGUMENT_LIMIT`.
        """
        return from_lua(step[3:], ARGUMENT_LIMIT, self._module.lua_type)

    def set_memory_cap(self, max_bytes: int) -> None:
        """Set the cap that holds from here on, 0 for none; for memory_cap.lua, in a state that was made with one."""
        self._runtime.set_max_memory(max_bytes)

    def memory_bytes(self) -> int:
        """Memory that the state's values take now."""
        return int(self._memory_kb() * 1024)

    def _native_table(self, version: str, dialect: str, natives: Mapping[str, Native]) -> object:
        own: dict[str, Native] = {
            "is_lua51": version == "5.1",
            "is_luajit": version == "luajit",
            "joins_searchers": version in _JOINS_SEARCHERS,
            "absent_names": ",".join(DIALECTS[dialect].absent_names).encode(),
            "module_names": module_names(),
            "module_source": module_source,
            "log_event": _as_plain_log(natives["log"]),
            "code_of": partial(part_code, self._module),
            **self._cap_natives(),
        }
        functions: dict[bytes, Native] = {}
        flags: dict[bytes, Native] = {}
        for name, native in {**NATIVES, **own, **natives}.items():
            (functions if callable(native) else flags)[_key(name)] = native
        # A function is handed over when it is first asked for (prelude.lua): most states need half of them.
        return self._runtime.table_from({**flags, b"late": functions.get})

    def _cap_natives(self) -> dict[str, Native]:
        if not self._max_memory_bytes:
            return {}
        # A native must not hold its state: that cycle would never be collected.
        state, max_memory_bytes = weakref.ref(self), self._max_memory_bytes

        # It is gone while the state closes, when finalisers of the script may still come here.
        def set_cap() -> None:
            if owner := state():
                owner.set_memory_cap(max_memory_bytes)

        def lift_cap() -> None:
            if owner := state():
                owner.set_memory_cap(0)

        return {"set_cap": set_cap, "lift_cap": lift_cap}

    def _to_lua(self, value: list[Any] | dict[Any, Any]) -> object:
        return self._runtime.table_from(value, recursive=True)

    def _guarded(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Step:
        # The prelude catches every error of script code; what still arrives here is Lua running out of memory in
        # the prelude itself, or a value that lupa cannot hand over.
        self._time_slice.is_inside = True
        try:
            step: Step = function(*args)
        except (self._module.LuaError, OverflowError) as exc:
            if self._max_memory_bytes:
                self.set_memory_cap(0)
            self._break_off()
            # Lua's own text is lost on the way.
            step = (StepKind.FAILED, NO_MEMORY if isinstance(exc, MemoryError) else str(exc).encode())
        if step[0] == _FAILED and self._max_memory_bytes and NO_MEMORY in step[1]:
            self._collect_after_failure()
        self._time_slice.leave()
        return step

    def _collect_after_failure(self) -> None:
        # Lua 5.1 and LuaJIT do not collect before they give up: what the failed call left, its arguments included,
        # would fail the next one too.
        try:
            self._collect()
        except self._module.LuaError:
            self.set_memory_cap(0)
            self._break_off()

    def _run_file(self, package: str, name: str, argument: object) -> Any:  # noqa: ANN401 - a Lua value
        return self._load(byte_code(self._module, package, name, self._dump), argument)


@cache
def _key(name: str) -> bytes:
    """Return a name as Lua has it; one object for all states."""
    return name.encode()


def empty_state(version: str) -> object:
    """Return a bare Lua state of lupa's, for comparison in benchmarks."""
    return _lua_module(version).LuaRuntime(encoding=None)


def bare_function(version: str, source: bytes) -> Callable[..., Any]:
    """Return a Lua function of a bare state, for comparison in benchmarks."""
    function: Callable[..., Any] = (
        _lua_module(version).LuaRuntime(encoding=None, unpack_returned_tuples=True).eval(source)
    )
    return function


def text_from_lua(value: object) -> str:
    """Make readable text of a Lua string; bytes that are no UTF-8 are shown as escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _is_object(arg: object) -> bool:
    """Does an argument stand for an object of the host?"""
    if not isinstance(arg, dict) or len(arg) != 1:
        return False
    (key,) = arg
    return isinstance(key, bytes) and key.startswith(b"$")


def _as_plain_log(log: Native) -> Native:
    """Stand in for `log_event` where the host takes plain lines only."""
    assert callable(log)  # noqa: S101 - for the type checker; every host gives a function

    def log_event(level: bytes, head: bytes | None, text: bytes, *_details: object) -> None:
        log(level, text if head is None else head + text)

    return log_event


def _c_module_natives(version: str, *, is_wanted: bool) -> dict[str, Native]:
    """Say whether a state may load C modules, and where they are; or which version may."""
    if not is_wanted:
        return {"c_modules": False}
    if not open_to_c_modules(version):
        return {"c_modules": False, "c_modules_version": opened_version().encode()}
    c_path, shared_path = search_paths(version)
    return {"c_modules": True, "c_path": c_path, "shared_path": shared_path}


@cache
def _lua_module(version: str) -> Any:  # noqa: ANN401 - lupa ships no types
    return importlib.import_module(LUA_MODULES[version])


def _deny_attribute(_owner: object, _name: object, _is_setting: bool) -> NoReturn:  # noqa: FBT001 - lupa's signature
    message = "not accessible from Lua"
    raise AttributeError(message)
