"""Writes a batch output on a thread of its own, so that a slow reader never holds up the event loop.

`lualoft batch` owns one. Only whole lines are given to it, and they are written in the order in which they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from queue import SimpleQueue
from typing import Final

from dispatcher.protocol.errors import EXIT_TEMPORARY, LualoftError

#: Seconds for which the end of a run waits for a reader that has stopped reading.
CLOSE_LIMIT_S: Final = 2.0


class OutputError(LualoftError):
    """The output cannot be written: disk full, quota, a device that is gone."""

    exit_code = EXIT_TEMPORARY


class LineWriter:
    """Writes to an open descriptor. Make it on the running event loop."""

    def __init__(self, descriptor: int, name: str) -> None:
        """Start the thread.

        Args:
            descriptor: where to write; stays open.
            name: for errors.
        """
        self._descriptor = descriptor
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[tuple[bytes, asyncio.Future[None] | None] | None] = SimpleQueue()
        self._failure: OSError | None = None
        # A daemon: a write may be stuck in a pipe that nobody reads when the program ends.
        self._thread = threading.Thread(target=self._run, name="batch-output", daemon=True)
        self._thread.start()

    async def write(self, data: bytes) -> None:
        """Write and wait until it is written.

        Raises:
            BrokenPipeError: the reader is gone.
            OutputError: it cannot be written.
        """
        written: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((data, written))
        await written
        self._check()

    def close(self, data: bytes = b"") -> None:
        """Write the last lines and end the thread; a reader that does not read is left after `CLOSE_LIMIT_S`."""
        if data:
            self._waiting.put((data, None))
        self._waiting.put(None)
        self._thread.join(CLOSE_LIMIT_S)

    def _check(self) -> None:
        if isinstance(self._failure, BrokenPipeError):
            raise self._failure
        if self._failure is not None:
            raise OutputError(f"cannot write {self._name}: {self._failure.strerror}") from self._failure

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            data, written = item
            if self._failure is None:
                self._write_all(data)
            if written is not None:
                self._tell(written)

    def _write_all(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as exc:
            self._failure = exc

    def _tell(self, written: asyncio.Future[None]) -> None:
        # The loop is closed, or the writing task gone, when the program was interrupted.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_finish, written)


def _finish(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)
