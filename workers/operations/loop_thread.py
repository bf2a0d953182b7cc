"""The one asyncio loop of a worker, on a thread that starts at the first use.

The runner posts asynchronous operations to it, and blocking code asks it for what only the loop can do (`result_of`).
Nothing that runs on it may block. The only importer of uvloop on this side.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

T = TypeVar("T")

_log: Final = logging.getLogger("lualoft.operations")

#: Seconds that the end waits for tasks and closers.
STOP_LIMIT_S: Final = 2.0


class LoopStoppedError(RuntimeError):
    """Something was asked of a loop that has been stopped: a bug, or the end of the worker."""


class LoopThread:
    """The loop and its thread; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._posted: deque[Callable[[], object]] = deque()
        self._is_woken = False
        #: Wake-ups of the loop since the start: one for each batch.
        self.wake_count = 0

    @property
    def is_running(self) -> bool:
        """Has it been started and not been stopped?"""
        return self._loop is not None and not self._is_stopped

    def post(self, call: Callable[[], object]) -> None:
        """Have something called on the loop, after what was posted before; one wake-up serves all that is waiting.

        Raises:
            LoopStoppedError: the loop has ended.
        """
        loop = self._loop if self._loop is not None and not self._is_stopped else self._start()
        self._posted.append(call)
        # Two threads may both see False here: the second wake-up finds nothing to do.
        if not self._is_woken:
            self._is_woken = True
            self._wake(loop)

    def result_of(self, make: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        """Run a coroutine on the loop and wait for its result; for threads other than the loop's own.

        Raises:
            TimeoutError: it takes longer; it is cancelled.
            LoopStoppedError: the loop has ended or ends meanwhile.
            what the coroutine raises.
        """
        assert threading.current_thread() is not self._thread  # noqa: S101 - it would wait for itself
        future: Future[T] = Future()
        tasks: list[asyncio.Task[None]] = []
        self.post(lambda: tasks.append(asyncio.ensure_future(_resolve(future, make()))))
        try:
            return future.result(timeout_s)
        except TimeoutError:
            self.post(partial(_cancel_first, tasks))
            raise

    def stop(self, closers: Sequence[Callable[[], Awaitable[None]]] = ()) -> None:
        """Cancel all tasks, run the closers, end the thread; nothing happens if it never started or has ended."""
        with self._lock:
            loop, thread, was_stopped = self._loop, self._thread, self._is_stopped
            self._is_stopped = True
        if loop is None or thread is None or was_stopped:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(self._end(loop, closers)))
        thread.join(STOP_LIMIT_S * 2)

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._is_stopped:
                raise LoopStoppedError("the loop has ended")
            if self._loop is None:
                loop = uvloop.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(loop,), name="loop", daemon=True)
                self._thread.start()
                # Last: who sees the loop may use it.
                self._loop = loop
            return self._loop

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wake_count += 1
        try:
            loop.call_soon_threadsafe(self._drain)
        except RuntimeError as exc:
            raise LoopStoppedError("the loop has ended") from exc

    def _drain(self) -> None:
        # Lowered before looking: what is appended from here on is either found below or wakes us again.
        self._is_woken = False
        while self._posted:
            call = self._posted.popleft()
            try:
                call()
            except Exception:  # noqa: BLE001 - the calls behind it are other people's
                _log.exception("a call on the loop failed")

    async def _end(self, loop: asyncio.AbstractEventLoop, closers: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Tasks first, as they use what the closers close."""
        try:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=STOP_LIMIT_S)
            for close in closers:
                await asyncio.wait_for(close(), STOP_LIMIT_S)
        except Exception:  # noqa: BLE001 - the thread ends whatever happens
            _log.exception("the end of the loop failed")
        finally:
            loop.stop()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _cancel_first(tasks: list[asyncio.Task[None]]) -> None:
    # Posted behind the call that makes the task, so it is there.
    tasks[0].cancel()


async def _resolve(future: Future[T], work: Coroutine[Any, Any, T]) -> None:
    """Run the work and put what comes of it into a future of another thread."""
    try:
        future.set_result(await work)
    except asyncio.CancelledError:
        # Set, not cancelled: `concurrent.futures.CancelledError` would need a clause of its own everywhere.
        future.set_exception(LoopStoppedError("the loop ended meanwhile"))
        raise
    except Exception as exc:  # noqa: BLE001 - it is raised where the result is waited for
        future.set_exception(exc)
