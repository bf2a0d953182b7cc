"""Who runs in a worker right now, noted in memory that outlives it.

The supervisor makes one per child and reads it when the child has died: what ran then is the suspect, and the calls
that merely waited in the same worker are not held against it. The engine writes it at every step, so a write is a copy
of a few bytes; nothing secret is in it.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Final, NamedTuple

#: Bytes of the memory: more than the longest note.
NOTE_BYTES: Final = 4096

#: Length of what follows, kind, number.
_HEAD: Final = struct.Struct("<HcQ")

#: A call: its number and its reply stream. A script that is loaded or unloaded: its package.
_CALL: Final = b"c"
_SCRIPT: Final = b"s"

NOBODY: Final = bytes(_HEAD.size)


class Suspect(NamedTuple):
    """What ran when a worker died; one of the two forms."""

    reply_key: str = ""
    invocation_id: int = 0
    package_id: bytes = b""


def call_note(reply_key: str, invocation_id: int) -> bytes:
    """Make the note of a call."""
    key = reply_key.encode()
    return _HEAD.pack(len(key), _CALL, invocation_id) + key


def script_note(package_id: bytes) -> bytes:
    """Make the note of a script's own functions: script_init, script_deinit, its main chunk."""
    return _HEAD.pack(len(package_id), _SCRIPT, 0) + package_id


class RunningNote:
    """The memory, on either side."""

    def __init__(self, fd: int) -> None:
        """Map the memory behind a descriptor that `create_fd` made; the caller closes it."""
        self._memory = mmap.mmap(fd, NOTE_BYTES)

    def write(self, note: bytes) -> None:
        """Note who runs; `NOBODY` for none."""
        self._memory[: len(note)] = note

    def read(self) -> Suspect | None:
        """Return what was noted last, None if nothing ran."""
        length, kind, number = _HEAD.unpack_from(self._memory)
        text = self._memory[_HEAD.size : _HEAD.size + length]
        if kind == _CALL:
            # A child that died while it wrote leaves half a key, which is nobody's.
            return Suspect(reply_key=text.decode("utf-8", "replace"), invocation_id=number)
        return Suspect(package_id=text) if kind == _SCRIPT else None

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


def create_fd() -> int:
    """Make the memory; the descriptor is closed by the caller and inherited only by a child that it is passed to."""
    fd = os.memfd_create("lualoft-running")
    os.ftruncate(fd, NOTE_BYTES)
    return fd
