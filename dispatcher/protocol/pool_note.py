"""What the supervisor of a pool leaves in Redis, so that `lualoft status` can say why workers are missing.

Supervisors write it, `lualoft status` reads it; it is not sealed, and a reader believes none of it. It expires soon
after its supervisor is gone; a sorted set, by time, says which there are.
"""

from __future__ import annotations

from typing import Final

import msgspec

#: Seconds after which the note of a supervisor that is gone is gone.
EXPIRES_S: Final = 15
#: Seconds after which its name is: longer, so that the set is there whenever a note is.
LISTED_S: Final = 60
#: Notes that are read.
MAX_READ: Final = 100
#: Seconds within which ends of workers count as late ones.
DEATHS_WINDOW_S: Final = 300.0
#: Characters of a text that are read.
_MAX_CHARS: Final = 200


class PoolNote(msgspec.Struct, frozen=True, kw_only=True):
    """One pool."""

    host: str
    pid: int
    queue: str
    #: Workers that there should be, and that take calls.
    wanted_workers: int
    ready_workers: int
    #: Ends that nobody asked for, within `DEATHS_WINDOW_S`, and how the last worker ended.
    deaths: int = 0
    last_end: str = ""
    #: When the next worker is started, in seconds since the epoch; 0: none is due.
    next_start_unix_s: float = 0.0


_decoder: Final = msgspec.json.Decoder(PoolNote)


def encode_pool_note(note: PoolNote) -> bytes:
    """Return a note as it is written."""
    return msgspec.json.encode(note)


def decode_pool_note(data: bytes) -> PoolNote | None:
    """Read a note; None when somebody else wrote it."""
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    texts = {name: getattr(found, name)[:_MAX_CHARS] for name in ("host", "queue", "last_end")}
    return msgspec.structs.replace(found, **texts)
