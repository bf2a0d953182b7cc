"""A temporary file for what an iteration must remember and memory must not hold: SQLite's private one, without a name.

`seen_names` and `sorted_rows` use it. `run` blocks for milliseconds, for a long sort for seconds, so it is called on a
thread; whoever waits for that thread may be cancelled, so closing must not pull the file away from under it.
"""

import sqlite3
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from workers.dict.error import DictIterationError

T = TypeVar("T")

#: Memory that its pages may take, in KiB; the rest lies on disk.
_CACHE_KIB: Final = 8192


class SpillFile:
    """One file; gone when it is closed."""

    def __init__(self, schema: str) -> None:
        # Threads take turns by the lock.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._is_closing = False
        self._database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._database.execute(schema)
        self._database.execute("BEGIN")

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the file and return what comes of it.

        Raises:
            DictIterationError: the disk is full, or the file was closed.
        """
        try:
            with self._lock:
                return work(self._database)
        except sqlite3.Error as exc:
            raise DictIterationError(f"the temporary file of the iteration cannot be used ({exc})") from exc
        finally:
            # `close` came while this ran, and could not wait.
            if self._is_closing:
                self.close()

    def close(self) -> None:
        """Remove it: at once, or when the thread that works with it is done. Never waits; a second time is no error."""
        # Before the lock is tried: a thread that lets go of it now sees this behind its work.
        self._is_closing = True
        if self._lock.acquire(blocking=False):
            try:
                self._database.close()
            finally:
                self._lock.release()
