"""Reads a batch input on a thread of its own, so that a slow producer never holds up the event loop.

`lualoft batch` iterates over it. The thread is at most a few blocks ahead of whoever takes the records, and what it has
is handed over before it waits for more: a line that arrives alone is called at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final

from dispatcher.batch_input import InputError, Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

#: Bytes of one read.
BLOCK_BYTES: Final = 64 * 1024

#: Records that are handed over together.
BATCH_RECORDS: Final = 256

#: Batches that may wait to be taken.
BATCHES_AHEAD: Final = 4


class RecordSource:
    """The records of an open input, in batches. Make it on the running event loop and iterate over it once."""

    def __init__(self, descriptor: int, name: str, parse: Callable[[Iterator[bytes]], Iterator[Record]]) -> None:
        """Start reading.

        Args:
            descriptor: the open input; stays open.
            name: for errors.
            parse: turns blocks of bytes into records.
        """
        self._descriptor = descriptor
        self._name = name
        self._parse = parse
        self._loop = asyncio.get_running_loop()
        self._batches: asyncio.Queue[list[Record] | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(BATCHES_AHEAD)
        self._gathered: list[Record] = []
        #: How much of the input was read.
        self.bytes_read = 0
        # A daemon: it may be waiting for a terminal when the program ends.
        threading.Thread(target=self._run, name="batch-input", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[list[Record]]:
        """Yield the records in batches, in order.

        Raises:
            InputError: the input cannot be read or used.
        """
        while (batch := await self._batches.get()) is not None:
            self._room.release()
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def _run(self) -> None:
        end: Exception | None = None
        try:
            for record in self._parse(self._blocks()):
                self._gathered.append(record)
                if len(self._gathered) >= BATCH_RECORDS:
                    self._hand_over()
        except OSError as exc:
            end = InputError(f"cannot read {self._name}: {exc.strerror}")
        except Exception as exc:  # noqa: BLE001 - raised again by whoever iterates, who would wait for ever otherwise
            end = exc
        self._hand_over()
        self._put(end)

    def _blocks(self) -> Iterator[bytes]:
        while True:
            # The next read may wait for long.
            self._hand_over()
            block = os.read(self._descriptor, BLOCK_BYTES)
            if not block:
                return
            self.bytes_read += len(block)
            yield block

    def _hand_over(self) -> None:
        if self._gathered:
            batch, self._gathered = self._gathered, []
            self._room.acquire()
            self._put(batch)

    def _put(self, batch: list[Record] | Exception | None) -> None:
        # The loop is closed when the program was interrupted; nobody waits for the record then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._batches.put_nowait, batch)
