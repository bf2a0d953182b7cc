"""What travels to a worker: the invocation, the chunk that carries many of them, and the script package they name.

The dispatcher makes these, the worker reads them. Nothing here touches Redis or Lua: a value that
passes `normalise_arguments` is one that every Lua version can be given unchanged.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from dispatcher.protocol.errors import ArgumentError

#: Version of every message in this package; a reader refuses any other.
SCHEMA_VERSION: Final = 1

#: Lua's own integer range; outside it a Python int has no exact Lua form.
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

#: How deep lists and dicts may nest: deeper than any record, shallower than any stack.
MAX_DEPTH: Final = 64

#: What arrives in Lua: nil, boolean, integer, float, string, and tables of these.
Value = None | bool | int | float | bytes | list[Any] | dict[Any, Any]

_SCALARS: Final = frozenset({bytes, bool, float, type(None)})


class Invocation(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The order to call function F of script S with these arguments before this deadline.

    `repr` leaves the arguments out: they hold passwords.
    """

    #: Unique within one dispatcher.
    id: int
    #: `ScriptPackage.package_id` of the script to call.
    package_id: bytes
    function: str
    #: Positional arguments, already normalised.
    args: list[Any]
    #: Seconds since the epoch; past it the invocation is not started.
    deadline_unix_s: float
    #: Seconds since the epoch at which the caller asked.
    submitted_unix_s: float
    #: May it run a second time after a worker died in the middle?
    is_idempotent: bool
    #: Whose rules hold for arguments and results: `auth` for an auth entry point (auth_result.py), empty for none.
    host: str = ""

    def __repr__(self) -> str:
        """Name the call without its arguments."""
        return f"Invocation({self.id}, {self.function!r}, {len(self.args)} args)"


class Chunk(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The invocations that travel together as one RQ job."""

    schema_version: int
    #: Redis key of the stream that takes the outcomes.
    reply_key: str
    #: 1 for the first delivery; recovery after a worker's death adds one.
    attempt: int
    invocations: list[Invocation]


class ScriptPackage(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A script and all that decides how it behaves, as the dispatcher ships it to Redis once."""

    schema_version: int
    #: Path, stream name, or SHA-1 hex for a script given as a string.
    name: str
    #: `file`, `string` or `stream`: decides the chunk name in Lua's messages.
    origin: str
    source: bytes
    #: Dovecot line it was written for: `2.3` or `2.4`.
    dialect: str
    #: `5.1` … `5.5` or `luajit`.
    lua: str
    #: What `script_init` is given (dialect 2.4).
    settings: dict[str, str]
    #: Cap of the Lua state's memory; 0 means none.
    max_memory_bytes: int
    #: Processor time of one call; 0 means the worker's own limit.
    max_cpu_s: float = 0.0
    #: Calls that may be inside one instance at once; 0 means no cap.
    max_concurrent: int = 0
    #: Hosts and networks that its requests may reach; empty: all.
    egress: list[str] = []
    #: Names of the dicts that it may open.
    dicts: list[str] = []

    def __repr__(self) -> str:
        """Name the script without its source and settings, which may hold credentials."""
        return f"ScriptPackage({self.name!r}, {self.digest[:12]}…)"

    @property
    def digest(self) -> str:
        """SHA-256 hex of the source: what users see as the script's version."""
        return hashlib.sha256(self.source).hexdigest()


def normalise_arguments(values: object) -> list[Value]:
    """Turn a call's arguments into what the wire carries: text becomes UTF-8 bytes, all else stays.

    Args:
        values: a list or tuple of None, bool, int, float, bytes, str, list, tuple or dict (str, bytes or int keys).

    Raises:
        ArgumentError: an element cannot travel; the message names its place, never its value.
    """
    if not isinstance(values, list | tuple):
        message = f"arguments must be a list, not {type(values).__name__}"
        raise ArgumentError(message)
    return [
        value if type(value) in _SCALARS else _normalise(value, f"args[{index}]", 0)
        for index, value in enumerate(values)
    ]


def _normalise(value: object, place: str, depth: int) -> Value:
    if isinstance(value, str):
        return _to_bytes(value, place)
    if isinstance(value, bool) or value is None:
        return value
    # The plain type: the codec takes no subclass (numpy's float64 is one of float).
    if isinstance(value, float | bytes):
        return float(value) if isinstance(value, float) else bytes(value)
    if isinstance(value, int):
        return _check_int(value, place)
    if depth >= MAX_DEPTH:
        message = f"{place} nests deeper than {MAX_DEPTH} levels"
        raise ArgumentError(message)
    if isinstance(value, dict):
        return {_key(k, place): _normalise(v, f"{place}[{k!r}]", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_normalise(v, f"{place}[{i}]", depth + 1) for i, v in enumerate(value)]
    message = f"{place} is a {type(value).__name__}; allowed are None, bool, int, float, bytes, str, list and dict"
    raise ArgumentError(message)


def _to_bytes(value: str, place: str) -> bytes:
    # surrogateescape: an undecodable byte that came in through os.fsdecode or argv leaves unchanged.
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        message = f"{place} holds a lone surrogate, which has no byte form"
        raise ArgumentError(message) from exc


def _check_int(value: int, place: str) -> int:
    if not INT_MIN <= value <= INT_MAX:
        message = f"{place} is outside the 64-bit integers of Lua"
        raise ArgumentError(message)
    return int(value)


def _key(key: object, place: str) -> bytes | int:
    if isinstance(key, str):
        return _to_bytes(key, place)
    if isinstance(key, bytes):
        return bytes(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return _check_int(key, place)
    message = f"{place} has a key of type {type(key).__name__}; allowed are str, bytes and int"
    raise ArgumentError(message)
