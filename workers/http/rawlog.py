"""Transcripts of connections for whoever debugs a script: `rawlog_dir`.

One pair of files per connection, `DIR/YYYYMMDD-HHMMSS.PID.COUNTER.in` and `.out`, readable by the worker's user only:
they hold passwords by design. A folder that is missing or not writable is no error of the request.

**Mirrors** iostream-rawlog.c: each line begins with `SECONDS.USECS `.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from typing import BinaryIO, Final

#: Transcripts of this process so far.
_counter: Final = itertools.count(1)


class Rawlog:
    """The transcript of one connection."""

    __slots__ = ("_in", "_out")

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._in = _Lines(incoming)
        self._out = _Lines(outgoing)

    def received(self, data: bytes) -> None:
        """Write down what arrived."""
        self._in.write(data)

    def sent(self, data: bytes) -> None:
        """Write down what was sent."""
        self._out.write(data)

    def close(self) -> None:
        """Close the files."""
        self._in.close()
        self._out.close()


def open_rawlog(place: bytes) -> Rawlog | None:
    """Begin a transcript.

    Args:
        place: the folder.

    Returns:
        None: it cannot be written.
    """
    try:
        return _file_rawlog(os.fsdecode(place))
    except (OSError, ValueError):
        return None


def _file_rawlog(folder: str) -> Rawlog:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = f"{folder}/{stamp}.{os.getpid()}.{next(_counter)}"
    incoming = _new_file(path + ".in")
    try:
        return Rawlog(incoming, _new_file(path + ".out"))
    except OSError:
        incoming.close()
        raise


def _new_file(path: str) -> BinaryIO:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb", buffering=0)


class _Lines:
    """One direction."""

    __slots__ = ("_file", "_is_line_start")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._is_line_start = True

    def write(self, data: bytes) -> None:
        now = time.time()
        stamp = b"%d.%06d " % (int(now), int(now % 1 * 1_000_000))
        lines = data.split(b"\n")
        ends_line = not lines[-1]
        text = (b"\n" + stamp).join(lines[:-1] if ends_line else lines) + (b"\n" if ends_line else b"")
        # A full disk must not fail a login.
        with suppress(OSError):
            self._file.write(stamp + text if self._is_line_start else text)
        self._is_line_start = ends_line

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()
