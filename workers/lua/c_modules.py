"""Opens the process to Lua modules written in C, for one Lua version.

A C module looks for Lua's functions among the process's global symbols and finds those of whichever Lua was made global
first, so one process can serve one version. The runtime calls it before the first state of that version is made.

Facts: lupa keeps each Lua in a Python extension of its own; `allow_lua_module_loading` has no effect on one that is
loaded already. A version that is first loaded after another became global binds to the wrong one and crashes, so all
are loaded before.
"""

from __future__ import annotations

import ctypes
import importlib
import sysconfig
from functools import cache
from typing import Final

from workers.lua.versions import LUA_MODULES

#: The Lua version whose ABI Debian's packages have for each of ours; 5.5 has none yet.
ABI: Final = {"5.1": "5.1", "5.2": "5.2", "5.3": "5.3", "5.4": "5.4", "luajit": "5.1"}


class _Opened:
    """Which version is global."""

    version = ""


def open_to_c_modules(version: str) -> bool:
    """Make a Lua version's functions visible to C modules; returns whether they are.

    Args:
        version: a key of `LUA_MODULES`; the first one that is opened in a process stays the only one.
    """
    if version not in ABI:
        return False
    if not _Opened.version:
        modules = {name: importlib.import_module(module) for name, module in LUA_MODULES.items()}
        ctypes.CDLL(modules[version].__file__, mode=ctypes.RTLD_GLOBAL)
        _Opened.version = version
    return _Opened.version == version


def opened_version() -> str:
    """Return the version that is open to C modules, empty if none is."""
    return _Opened.version


@cache
def search_paths(version: str) -> tuple[bytes, bytes]:
    """Return (package.cpath, package.path) of Debian's Lua packages and of /usr/local for a version."""
    abi = ABI[version]
    folders = [f"/usr/local/lib/lua/{abi}", f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/lua/{abi}"]
    shared = [f"/usr/local/share/lua/{abi}", f"/usr/share/lua/{abi}"]
    cpath = ";".join(f"{folder}/?.so" for folder in folders)
    path = ";".join(f"{folder}/?.lua;{folder}/?/init.lua" for folder in shared)
    return cpath.encode(), path.encode()
