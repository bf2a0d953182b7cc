"""Runs the operations that parked calls wait for, on threads or on the loop, and hands their results back.

The engine gives it an operation's name and arguments; the results come back through a function that any thread may
call. An operation never raises into Lua: whatever goes wrong is what it returns, or `nil, text`.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from workers.operations.operation import Asynchronous, Blocking, CancelToken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.operations.catalog import Catalog
    from workers.operations.operation import Results

_log: Final = logging.getLogger("lualoft.operations")


class OperationRunner:
    """The threads and the loop of one worker; `start`, `cancel` and `stop` are called from one thread."""

    def __init__(self, max_threads: int, catalog: Catalog, deliver: Callable[[int, Results], None]) -> None:
        """Set up; threads and loop start as they are needed.

        Args:
            max_threads: blocking operations that wait at once; more of them wait for a thread. One more may compute.
            catalog: the operations.
            deliver: is given (token, results) on some thread; not for an operation that was cancelled.
        """
        self._catalog = catalog
        self._deliver = deliver
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="operation")
        # One, as a worker is to use one core. More threads that compute would not finish earlier, and the engine's
        # thread, which answers everybody else, would be one of many that wait for a core.
        self._computing_thread = ThreadPoolExecutor(1, thread_name_prefix="computing")
        #: Blocking operations that wait for a thread or run. An entry is made before its thread can take it out.
        self._blocking: dict[int, CancelToken] = {}
        #: Those of them that compute.
        self._computing: set[int] = set()
        #: Asynchronous ones; touched on the loop only.
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._is_stopping = False

    @property
    def computing_count(self) -> int:
        """How many wait for the computing thread or run on it."""
        return len(self._computing)

    def is_known(self, name: bytes) -> bool:
        """Is there an operation of this name?"""
        return name in self._catalog.operations

    def computes(self, name: bytes) -> bool:
        """Is it an operation of the computing thread?"""
        operation = self._catalog.operations.get(name)
        return isinstance(operation, Blocking) and operation.is_computing

    def start(self, token: int, name: bytes, args: Sequence[Any]) -> None:
        """Start an operation; its results are delivered with the token."""
        operation = self._catalog.operations[name]
        if isinstance(operation, Asynchronous):
            self._catalog.loop.post(partial(self._begin_task, token, operation, args))
        else:
            cancel_token = self._blocking[token] = CancelToken()
            threads = self._threads
            if operation.is_computing:
                threads = self._computing_thread
                self._computing.add(token)
            threads.submit(self._run, token, cancel_token, operation, args)

    def cancel(self, token: int) -> None:
        """Nobody waits for this operation any more: end it if it can be ended; an unknown or ended one is no error."""
        cancel_token = self._blocking.pop(token, None)
        if cancel_token is not None:
            cancel_token.cancel()
        elif self._catalog.loop.is_running:
            # Behind its start, which was posted before.
            self._catalog.loop.post(partial(self._cancel_task, token))

    def stop(self) -> None:
        """End everything: what waits is dropped, what blocks is told and not waited for, tasks are cancelled."""
        self._is_stopping = True
        for cancel_token in list(self._blocking.values()):
            cancel_token.cancel()
        for threads in (self._threads, self._computing_thread):
            threads.shutdown(wait=False, cancel_futures=True)
        self._catalog.loop.stop(self._catalog.closers)

    # On a thread.

    def _run(self, token: int, cancel_token: CancelToken, operation: Blocking, args: Sequence[Any]) -> None:
        if cancel_token.is_cancelled:
            self._computing.discard(token)
            return
        try:
            results = operation.function(cancel_token, *args) if operation.takes_token else operation.function(*args)
        except Exception as exc:  # noqa: BLE001 - a bug must not leave the call parked until its deadline
            results = _failure(exc)
        cancel_token.forget()
        self._computing.discard(token)
        # None: it was cancelled meanwhile.
        if self._blocking.pop(token, None) is not None:
            self._deliver(token, results)

    # On the loop.

    def _begin_task(self, token: int, operation: Asynchronous, args: Sequence[Any]) -> None:
        self._tasks[token] = asyncio.get_running_loop().create_task(self._run_task(token, operation, args))

    def _cancel_task(self, token: int) -> None:
        task = self._tasks.pop(token, None)
        if task is not None:
            task.cancel()

    async def _run_task(self, token: int, operation: Asynchronous, args: Sequence[Any]) -> None:
        try:
            results = await operation.function(*args)
        except asyncio.CancelledError as exc:
            if self._is_stopping or token not in self._tasks:
                raise
            # Not by us: something inside gave up, and the call still waits.
            results = _failure(exc)
        except Exception as exc:  # noqa: BLE001 - a bug must not leave the call parked until its deadline
            results = _failure(exc)
        if self._tasks.pop(token, None) is not None:
            self._deliver(token, results)


def _failure(exc: BaseException) -> Results:
    _log.error("operation failed", exc_info=exc)
    return (None, f"internal error: {type(exc).__name__}".encode())
