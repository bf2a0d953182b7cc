"""Keeps the log of workers that a command starts for itself off the terminal, and shows it when they fail.

`backend` gives its descriptor to a pool: a progress bar or a script's own lines must not be mixed with it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dispatcher.cli.terminal import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Lines that are kept.
KEPT_LINES: Final = 50

#: Seconds for which `show` waits for processes to say their last words.
LAST_WORDS_S: Final = 1.0


class WorkerLog:
    """The last lines that processes wrote to a descriptor."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader: threading.Thread | None = None

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        """Yield the descriptor to start processes with; ours is closed afterwards, theirs stays open."""
        read_end, write_end = os.pipe()
        # A daemon: it ends with the last of those processes, or with us.
        self._reader = threading.Thread(target=self._read, args=(read_end,), name="worker-log", daemon=True)
        self._reader.start()
        try:
            yield write_end
        finally:
            os.close(write_end)

    def show(self) -> None:
        """Write what was kept to standard error."""
        if self._reader is not None:
            # The last words of processes that have just ended may still be in the pipe.
            self._reader.join(LAST_WORDS_S)
        for line in list(self._lines):
            tell(line)

    def _read(self, read_end: int) -> None:
        with open(read_end, encoding="utf-8", errors="backslashreplace") as stream:
            for line in stream:
                self._lines.append(line.rstrip("\n"))
