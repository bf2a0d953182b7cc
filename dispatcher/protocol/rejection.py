"""What is noted down about a job that a worker rejected: an entry of the rejected list.

Workers write entries, `lualoft status` reads them. An entry says which job, when, where and why; nothing of what was in
the job, sealed or not. Entries come from Redis, so a reader believes none of them.
"""

from typing import Final

import msgspec

#: Entries that are kept for each queue; the oldest go first.
MAX_ENTRIES: Final = 100
#: Seconds after which the list and its count are gone, unless something else is rejected.
EXPIRES_S: Final = 7 * 24 * 3600
#: Characters of a job's id that are kept: anybody may write a job, and its id.
MAX_ID_CHARS: Final = 80
#: Characters of a reason that are read.
MAX_REASON_CHARS: Final = 400


class Rejection(msgspec.Struct, frozen=True):
    """One rejected job."""

    #: RQ's id of the job, cut off and in ASCII.
    job_id: str
    reason: str
    worker: str
    #: Seconds since the epoch.
    at_unix_s: float
    #: Bytes of what lay in the job; 0 if that is not known.
    size_bytes: int = 0


_decoder: Final = msgspec.json.Decoder(Rejection)


def shown_id(raw_id: bytes | str) -> str:
    """Return a job's id as it may be logged and noted down: short, in printable ASCII."""
    text = raw_id[: MAX_ID_CHARS * 4].decode("utf-8", "replace") if isinstance(raw_id, bytes) else raw_id
    return "".join(map(_printable, text[:MAX_ID_CHARS]))


def _printable(char: str) -> str:
    return char if char.isascii() and char.isprintable() else ascii(char)[1:-1]


def encode_rejection(rejection: Rejection) -> bytes:
    """Return an entry."""
    return msgspec.json.encode(rejection)


def decode_rejection(data: bytes) -> Rejection | None:
    """Read an entry; None when somebody else wrote it."""
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.structs.replace(found, job_id=shown_id(found.job_id), reason=found.reason[:MAX_REASON_CHARS])
