"""A Lua state for one instance: loading, calls as coroutines, bytes in and out, no way into Python.

The only importer of lupa. Instances call it from the engine's thread; it knows nothing of chunks or Redis.
It must never give a script a Python object that leads further than the function itself.
"""

from __future__ import annotations

import importlib
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NoReturn

from workers.lua.marshal import from_lua, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable

#: The Lua versions of the settings and the lupa module that holds each.
LUA_MODULES: Final = {
    "5.1": "lupa.lua51",
    "5.2": "lupa.lua52",
    "5.3": "lupa.lua53",
    "5.4": "lupa.lua54",
    "5.5": "lupa.lua55",
    "luajit": "lupa.luajit21",
}

#: Files of workers/api in the order in which a state runs them; each builds on the ones before.
API_FILES: Final = ("check.lua", "dovecot.lua", "log.lua", "globals.lua", "auth_constants.lua")


class StepKind(IntEnum):
    """What a step of a coroutine came to; the numbers stand in prelude.lua too."""

    DONE = 0
    FAILED = 1
    NO_FUNCTION = 2
    PARKED = 3


#: (StepKind, …): DONE, count, values… · FAILED, text · NO_FUNCTION, 0 · PARKED, coroutine, operation, arguments…
Step = tuple[Any, ...]


class LuaState:
    """One Lua state with the `dovecot` table, and the calls that run in it.

    A reference cycle through Lua is never collected: natives must not refer to the state or its owner.
    """

    def __init__(
        self,
        version: str,
        natives: dict[str, Callable[..., object] | bool | bytes],
        max_memory_bytes: int = 0,
    ) -> None:
        module = _lua_module(version)
        self._module = module
        options: dict[str, Any] = {"max_memory": max_memory_bytes} if max_memory_bytes else {}
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
        own_natives = {"is_lua51": version == "5.1", "module_names": _module_names(), "module_source": _module_source}
        table = self._runtime.table_from({name.encode(): native for name, native in (natives | own_natives).items()})
        host = self._run_file("workers.lua", "prelude.lua", table)
        for name in API_FILES:
            self._run_file("workers.api", name, host)
        self._start = host[b"start"]
        self._resume = host[b"resume"]
        self._compile = host[b"compile"]
        self._start_main = host[b"start_main"]
        self._has_function = host[b"has_function"]
        self._memory_kb = host[b"memory_kb"]

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
            args: normalised values (see `dispatcher.protocol.invocation`).
        """
        for arg in args:
            if not is_plain(arg):
                args = [arg if is_plain(arg) else self._to_lua(arg) for arg in args]
                break
        return self._guarded(self._start, (function, *args))

    def resume(self, coroutine: object, values: tuple[Any, ...]) -> Step:
        """Go on with a parked coroutine; its operation returns `values`."""
        return self._guarded(self._resume, (coroutine, *(v if is_plain(v) else self._to_lua(v) for v in values)))

    def has_function(self, name: bytes) -> bool:
        """Is the global `name` a function (raw lookup)?"""
        return bool(self._has_function(name))

    def values_of(self, step: Step, limit_bytes: int) -> list[Any]:
        """Turn the results of a DONE step into values that can travel.

        Raises:
            MarshalError: a result has no form outside Lua, or they are larger than `limit_bytes` together.
        """
        values = step[2:]
        for value in values:
            if not is_plain(value) or value.__class__ is bytes:
                return from_lua(values, limit_bytes, self._module.lua_type)
        return list(values)

    def memory_bytes(self) -> int:
        """Memory that the state's values take now."""
        return int(self._memory_kb() * 1024)

    def _to_lua(self, value: list[Any] | dict[Any, Any]) -> object:
        return self._runtime.table_from(value, recursive=True)

    def _guarded(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Step:
        # The prelude catches every error of script code; what still arrives here is Lua running out of memory in
        # the prelude itself, or a value that lupa cannot hand over.
        try:
            step: Step = function(*args)
        except (self._module.LuaError, OverflowError) as exc:
            return (StepKind.FAILED, str(exc).encode())
        return step

    def _run_file(self, package: str, name: str, argument: object) -> Any:  # noqa: ANN401 - a Lua value
        return self._runtime.execute(_source(package, name), argument, name=f"=[lualoft {name}]".encode())


def empty_state(version: str) -> object:
    """Return a bare Lua state of lupa's, for comparison in benchmarks."""
    return _lua_module(version).LuaRuntime(encoding=None)


def text_from_lua(value: object) -> str:
    """Make readable text of a Lua string; bytes that are no UTF-8 are shown as escapes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


@cache
def _source(package: str, name: str) -> bytes:
    return resources.files(package).joinpath(name).read_bytes()


@cache
def _module_names() -> bytes:
    """Names that `require` finds built in, comma separated: json.lua is `json`, socket_http.lua is `socket.http`."""
    files = resources.files("workers.lua.modules").iterdir()
    return ",".join(sorted(f.name[:-4].replace("_", ".") for f in files if f.name.endswith(".lua"))).encode()


def _module_source(name: bytes) -> tuple[bytes, bytes]:
    file_name = name.decode().replace(".", "_") + ".lua"
    return file_name.encode(), _source("workers.lua.modules", file_name)


@cache
def _lua_module(version: str) -> Any:  # noqa: ANN401 - lupa ships no types
    return importlib.import_module(LUA_MODULES[version])


def _deny_attribute(_owner: object, _name: object, _is_setting: bool) -> NoReturn:  # noqa: FBT001 - lupa's signature
    message = "not accessible from Lua"
    raise AttributeError(message)
