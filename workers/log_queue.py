"""The log's way out of a process: a bounded queue in place of standard error, and the thread that writes it.

Each process of the pool begins with `queue_stderr`; what ends it by `os._exit` calls `write_out` first. Whoever writes
to `sys.stderr` (logging, scripts, tracebacks) never waits for whoever reads the log, or does not: what finds the queue
full is dropped, counted, and told in the log once it is written again. Lines keep their order.

Text that C code writes to the descriptor itself does not come by here.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import select
import stat
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_log: Final = logging.getLogger("lualoft.log")

#: Bytes that wait for being written, and what each piece of them counts for beside its length.
MAX_BYTES: Final = 8 * 1024 * 1024
PIECE_BYTES: Final = 64

#: Shares of it: where scripts have to wait for the writer, and where they go on. The rest is for our own lines.
HIGH_SHARE: Final = 0.75
LOW_SHARE: Final = 0.25

#: Seconds for which a script waits there, so that one which logs faster than a disk can write loses nothing.
PATIENCE_S: Final = 0.1

#: Seconds for which a process that ends writes what is still queued; and one that must be gone soon.
END_LIMIT_S: Final = 1.0
LAST_WORDS_S: Final = 0.2

#: Bytes of one write to a file. To anything else it is PIPE_BUF: so much is never mixed with another worker's lines.
_FILE_WRITE_BYTES: Final = 64 * 1024

_STDERR: Final = 2


class LogQueue(io.TextIOBase):
    """A text stream whose `write` does not wait; from any thread."""

    def __init__(
        self,
        descriptor: int,
        tell_dropped: Callable[[int], None],
        max_bytes: int = MAX_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Start writing.

        Args:
            descriptor: where the text goes; stays open.
            tell_dropped: is given the number of lines that were dropped, once there is room again; may write.
            max_bytes: what may wait.
            patience_s: how long a script waits when that is nearly full.
        """
        super().__init__()
        self._descriptor = descriptor
        self._tell_dropped = tell_dropped
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._write_bytes = _FILE_WRITE_BYTES if _is_file(descriptor) else select.PIPE_BUF
        # An RLock inside: the collector may run a destructor in the middle of `write`, and its complaint is written.
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        #: Of all pieces, those of the write under way too.
        self._bytes = 0
        self._is_idle = False
        #: Has a script waited in vain? Then none waits, and their lines are dropped, until the writer has caught up.
        self._is_behind = False
        self._dropped_count = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        """Queue a text, or drop it; returns its length."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._bytes and self._bytes + len(data) > self._max_bytes:
                self._drop(data)
                return len(text)
            self._pieces.append(data)
            self._bytes += len(data) + PIECE_BYTES
            if self._is_idle:
                self._is_idle = False
                self._changed.notify_all()
        return len(text)

    def write_patiently(self, text: str) -> None:
        """Queue a script's text; waits a moment for a writer that is behind."""
        if self._bytes <= self._max_bytes * HIGH_SHARE or self._has_caught_up():
            self.write(text)
            return
        with self._changed:
            self._drop(text.encode("utf-8", "backslashreplace"))

    def drain(self, limit_s: float) -> bool:
        """Wait until everything is written; False when that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes, limit_s)

    def flush(self) -> None:
        """Do nothing: who logs does not wait. See `drain`."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """Does it end at a terminal?"""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def _drop(self, data: bytes) -> None:
        self._dropped_count += max(1, data.count(b"\n"))

    def _has_caught_up(self) -> bool:
        with self._changed:
            if self._is_behind:
                return False
            has_room = self._changed.wait_for(lambda: self._bytes <= self._max_bytes * LOW_SHARE, self._patience_s)
            self._is_behind = not has_room
            return has_room

    # On the writer's thread.

    def _run(self) -> None:
        while True:
            pieces, size_bytes = self._next()
            data = b"".join(pieces)
            is_written = _write_all(self._descriptor, data)
            self._note_written(size_bytes, lost=b"" if is_written else data)

    def _next(self) -> tuple[list[bytes], int]:
        """Wait for something to write; returns it, and what it counts for."""
        with self._changed:
            while not self._pieces:
                self._is_idle = True
                self._changed.wait()
            self._is_idle = False
            pieces = [self._pieces.popleft()]
            size_bytes = len(pieces[0])
            while self._pieces and size_bytes + len(self._pieces[0]) <= self._write_bytes:
                pieces.append(self._pieces.popleft())
                size_bytes += len(pieces[-1])
            return pieces, size_bytes + PIECE_BYTES * len(pieces)

    def _note_written(self, size_bytes: int, lost: bytes) -> None:
        dropped_count = 0
        with self._changed:
            self._bytes -= size_bytes
            if lost:
                self._drop(lost)
            elif self._bytes <= self._max_bytes * LOW_SHARE:
                self._is_behind = False
                dropped_count, self._dropped_count = self._dropped_count, 0
        if dropped_count:
            # Before anybody who waits for the end of it all is woken.
            self._tell_dropped(dropped_count)
        with self._changed:
            self._changed.notify_all()


def queue_stderr() -> None:
    """Put a queue in place of `sys.stderr`, for the rest of this process; what waits at its end is written."""
    queue = LogQueue(_STDERR, _tell_dropped)
    # A TextIO in all that anybody asks of it.
    sys.stderr = cast("TextIO", queue)
    atexit.register(queue.drain, END_LIMIT_S)


def write_out(limit_s: float) -> None:
    """Wait until the log is written, but not for longer; for those who end the process without Python's own end."""
    if isinstance(sys.stderr, LogQueue):
        sys.stderr.drain(limit_s)


def _tell_dropped(count: int) -> None:
    _log.error("%d log lines are missing here: nobody read the log, or it could not be written", count)


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _write_all(descriptor: int, data: bytes) -> bool:
    """Write it, however long that takes; False when it cannot be written: a full disk, a reader that is gone."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Whoever shares the descriptor with us made it so.
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
        except OSError:
            return False
    return True
