"""Keeps the log of workers that a command starts for itself off the terminal, and shows it when they fail.

`backend` uses it around the start of a pool: a progress bar or a script's own lines must not be mixed with it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Lines that are kept.
KEPT_LINES: Final = 50

#: Seconds for which `show` waits for processes to say their last words.
LAST_WORDS_S: Final = 1.0


class WorkerLog:
    """The last lines that the processes started within `capture` wrote to standard error."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader: threading.Thread | None = None

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Take the standard error of processes that are started inside; our own is as before after it."""
        read_end, write_end = os.pipe()
        # Children inherit descriptor 2 as it is when they are started.
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(write_end, 2)
        os.close(write_end)
        # A daemon: it ends with the last of those processes, or with us.
        self._reader = threading.Thread(target=self._read, args=(read_end,), name="worker-log", daemon=True)
        self._reader.start()
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)

    def show(self) -> None:
        """Write what was kept to standard error."""
        if self._reader is not None:
            # The last words of processes that have just ended may still be in the pipe.
            self._reader.join(LAST_WORDS_S)
        for line in list(self._lines):
            click.echo(line, err=True)

    def _read(self, read_end: int) -> None:
        with open(read_end, encoding="utf-8", errors="backslashreplace") as stream:
            for line in stream:
                self._lines.append(line.rstrip("\n"))
