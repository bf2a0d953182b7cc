"""What the Lua state of a script is given by its worker: where to log, what to expand, what it may load.

The engine makes one set per script. Nothing in it may refer to a Lua state or an instance: a cycle through Lua is never
collected.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand
from workers.api.var_expand.providers import standard_providers
from workers.auth.natives import auth_natives

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dispatcher.protocol.invocation import ScriptPackage
    from dispatcher.protocol.settings import LuaSettings
    from workers.call_log import CallLog
    from workers.lua.runtime import Native

#: They stand in for the number of processors and the host's name (workers/api/var_expand/providers.py).
_SHOWN_TO_ALL: Final = (b"NCPU", b"DOVECOT_HOSTNAME")


def no_natives(_package: ScriptPackage) -> Mapping[str, Native]:
    """Natives of a worker whose operations need none."""
    return {}


def natives_of(
    lua: LuaSettings,
    call_log: CallLog,
    of_operations: Callable[[ScriptPackage], Mapping[str, Native]] = no_natives,
) -> Callable[[ScriptPackage], dict[str, Native]]:
    """Return a function that makes the natives of a script.

    Args:
        lua: what scripts may reach.
        call_log: takes what they log.
        of_operations: makes those that belong to operations (dovecot.http, dicts), anew for each instance.
    """
    environment = _environment(lua)
    providers = standard_providers(environment)

    def var_expand(template: bytes) -> tuple[bool, bytes]:
        try:
            return True, expand(template, {}, providers)
        except VarExpandError as exc:
            return False, exc.detail

    shared: dict[str, Native] = {
        "c_modules": lua.c_modules,
        "profile": lua.profile.encode(),
        "lua_path": lua.path.encode(),
        "var_expand": var_expand,
    }
    return lambda package: {
        **shared,
        **call_log.natives(package.name),
        **auth_natives(package.dialect, environment, providers),
        **of_operations(package),
    }


def _environment(lua: LuaSettings) -> Mapping[bytes, bytes]:
    """What `%{env:NAME}` sees."""
    if lua.profile == "restricted":
        # What os.getenv would show, which it has not; two names mean something to other variables.
        return {name: os.environb[name] for name in _SHOWN_TO_ALL if name in os.environb}
    # The pool starts its workers without our own variables, so no key of ours is in there.
    return os.environb
