"""The Lua versions that there are, by their name in the settings."""

from __future__ import annotations

from typing import Final

#: Version -> the module of lupa that holds it.
LUA_MODULES: Final = {
    "5.1": "lupa.lua51",
    "5.2": "lupa.lua52",
    "5.3": "lupa.lua53",
    "5.4": "lupa.lua54",
    "5.5": "lupa.lua55",
    "luajit": "lupa.luajit21",
}
