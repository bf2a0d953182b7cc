"""Values between Lua and Python.

The runtime calls it. A Lua table with the keys 1..n becomes a list, any other a dict; Lua strings are bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.invocation import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PLAIN: Final = frozenset({bytes, int, float, bool, type(None)})

#: What a value counts beside its bytes, so that a table of a million booleans is not free.
VALUE_OVERHEAD_BYTES: Final = 8


class MarshalError(LualoftError):
    """A Lua value that has no form outside Lua, or results over their size cap."""


def is_plain(value: object) -> bool:
    """Is the value handed over unchanged in both directions?"""
    return value.__class__ in _PLAIN


class ValueLimit(NamedTuple):
    """How much may leave Lua at once."""

    #: Cap of all values together.
    total_bytes: int
    #: What each counts beside its bytes.
    value_bytes: int = VALUE_OVERHEAD_BYTES
    #: What they are, for the error.
    name: str = "results"


#: What a call may hand to an operation: a payload and room for what goes with it, or about 260,000 small values. Nobody
#: else's call goes on while they are copied; so many take a third of a second.
ARGUMENT_LIMIT: Final = ValueLimit(32 * 1024 * 1024, value_bytes=128, name="arguments of an operation")


def from_lua(values: Iterable[Any], limit: ValueLimit, lua_type: Callable[[object], str | None]) -> list[Any]:
    """Copy values out of Lua.

    Args:
        values: what the function returned.
        limit: how much they may be.
        lua_type: lupa's `lua_type` of the state's Lua version.

    Raises:
        MarshalError: says which result and why.
    """
    reader = _Reader(limit, lua_type)
    return [reader.read(value, f"return value {number}", 0) for number, value in enumerate(values, 1)]


class _Reader:
    """One walk over results: keeps what is left of the size cap."""

    def __init__(self, limit: ValueLimit, lua_type: Callable[[object], str | None]) -> None:
        self._limit = limit
        self._left_bytes = limit.total_bytes
        self._lua_type = lua_type

    def read(self, value: Any, place: str, depth: int) -> Any:  # noqa: ANN401 - Lua values
        self._left_bytes -= self._limit.value_bytes + (len(value) if value.__class__ is bytes else 0)
        if self._left_bytes < 0:
            message = f"{self._limit.name} are larger than {self._limit.total_bytes} bytes"
            raise MarshalError(message)
        if is_plain(value):
            return value
        kind = self._lua_type(value)
        if kind != "table":
            message = f"{place} is a {kind or 'host object'}, which cannot leave Lua"
            raise MarshalError(message)
        if depth >= MAX_DEPTH:
            message = f"{place} nests deeper than {MAX_DEPTH} levels or contains itself"
            raise MarshalError(message)
        return self._table(value, place, depth)

    def _table(self, table: Any, place: str, depth: int) -> list[Any] | dict[Any, Any]:  # noqa: ANN401 - a Lua table
        pairs: dict[Any, Any] = {}
        has_integers_only = True
        for lua_key, item in table.items():
            key = self._key(lua_key, place)
            if key in pairs:
                raise MarshalError(f"{place} has the keys true and 1 or false and 0, which are one outside Lua")
            has_integers_only = has_integers_only and key.__class__ is int
            pairs[key] = self.read(item, f"{place}[{_shown(key)}]", depth + 1)
        if pairs and has_integers_only and all(index in pairs for index in range(1, len(pairs) + 1)):
            return [pairs[index] for index in range(1, len(pairs) + 1)]
        return pairs

    def _key(self, key: Any, place: str) -> bytes | int | float | bool:  # noqa: ANN401 - a Lua value
        if key.__class__ is bytes:
            self._left_bytes -= len(key)
        elif not is_plain(key):
            message = f"{place} has a {self._lua_type(key) or 'host object'} as a key, which cannot leave Lua"
            raise MarshalError(message)
        result: bytes | int | float | bool = key
        return result


def _shown(key: object) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
