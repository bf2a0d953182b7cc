"""Our own Lua files: which a state runs, in what order, and their byte code.

`LuaState` asks. Each file is compiled once per process and Lua version; a state then loads the byte code in a third of
the time. No byte code from anywhere else is ever loaded.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Files of workers/lua that every state runs, in this order; each builds on the ones before.
LUA_FILES: Final = (
    "host_globals.lua",
    "sandbox.lua",
    "calls.lua",
    "coroutines.lua",
    "finalisers.lua",
    "output.lua",
    "builtin_modules.lua",
    "parts.lua",
    "libraries.lua",
)

#: Lua version -> files that it needs beside them.
VERSION_FILES: Final = {"5.1": ("protected_51.lua",), "luajit": ("hooks_luajit.lua",)}

#: Files of workers/api that every state runs after those, in this order.
API_FILES: Final = (
    "check.lua",
    "dovecot.lua",
    "log.lua",
    "globals.lua",
    "objects.lua",
    "auth_constants.lua",
    "parts.lua",
    "dialect.lua",
)

#: Files that a state runs when its script first uses what is in them (parts.lua), and where they lie.
PART_FILES: Final = {
    "debugging.lua": "workers.lua",
    "hooks.lua": "workers.lua",
    "files.lua": "workers.lua",
    "blame.lua": "workers.api",
    "strings.lua": "workers.api",
    "flags.lua": "workers.api",
    "clock.lua": "workers.api",
    "shapes.lua": "workers.api",
    "event_log.lua": "workers.api",
    "event_methods.lua": "workers.api",
    "event.lua": "workers.api",
    "passthrough.lua": "workers.api",
    "dns.lua": "workers.api",
    "dict.lua": "workers.api",
    "dict_iterator.lua": "workers.api",
    "dict_transaction.lua": "workers.api",
    "http_object.lua": "workers.api",
    "http_event.lua": "workers.api",
    "http_response.lua": "workers.api",
    "http_request.lua": "workers.api",
    "http_client.lua": "workers.api",
}

#: (lupa module, package, file) -> byte code.
_COMPILED: Final[dict[tuple[Any, str, str], bytes]] = {}


def files_of(version: str, *, has_cap: bool) -> list[tuple[str, str]]:
    """Return what a state runs behind prelude.lua: (package, file)."""
    cap_files = ("memory_cap.lua",) if has_cap else ()
    lua_files = (*cap_files, *LUA_FILES, *VERSION_FILES.get(version, ()))
    return [("workers.lua", name) for name in lua_files] + [("workers.api", name) for name in API_FILES]


def byte_code(module: object, package: str, name: str, dump: Callable[[bytes, bytes], bytes]) -> bytes:
    """Return the byte code of a file.

    Args:
        module: lupa's of the Lua version.
        package, name: where the file lies.
        dump: compiles source under a chunk name, in any state of that version.
    """
    key = (module, package, name)
    if key not in _COMPILED:
        _COMPILED[key] = dump(source_of(package, name), f"=[lualoft {name}]".encode())
    return _COMPILED[key]


def prepare_parts(module: object, dump: Callable[[bytes, bytes], bytes]) -> None:
    """Compile the files of parts: later there is no `dump` any more."""
    for name, package in PART_FILES.items():
        byte_code(module, package, name, dump)


def part_code(module: object, name: bytes) -> bytes:
    """Return the byte code of a file of a part; what parts.lua asks for."""
    file_name = name.decode()
    return _COMPILED[module, PART_FILES[file_name], file_name]


@cache
def source_of(package: str, name: str) -> bytes:
    """Return the source of a file."""
    return resources.files(package).joinpath(name).read_bytes()


@cache
def module_names() -> bytes:
    """Names that `require` finds built in, comma separated: json.lua is `json`, socket_http.lua is `socket.http`."""
    files = resources.files("workers.lua.modules").iterdir()
    return ",".join(sorted(f.name[:-4].replace("_", ".") for f in files if f.name.endswith(".lua"))).encode()


def module_source(name: bytes) -> tuple[bytes, bytes]:
    """Return the file name and the source of a built-in module."""
    file_name = name.decode().replace(".", "_") + ".lua"
    return file_name.encode(), source_of("workers.lua.modules", file_name)
