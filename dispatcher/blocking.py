"""Dispatcher: the blocking facade of AsyncDispatcher, for scripts and threads.

It runs an AsyncDispatcher on an event loop of its own thread; any number of threads may call it at once. It adds
nothing but the waiting.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Self

from dispatcher.client import AsyncDispatcher, Call
from dispatcher.protocol.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from types import TracebackType

    from dispatcher.catalog import Catalog, Script
    from dispatcher.protocol.settings import Settings

#: Outcomes that `map` fetches from the loop's thread at a time; a hop between threads costs more than a call.
MAP_BATCH: Final = 256


class Dispatcher:
    """Calls script functions on the pool and waits. Use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dispatcher = AsyncDispatcher(settings)
        # A call that another thread makes while we close is either on the loop before the end of it, or refused.
        self._closing = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        """Connect. Raises as `AsyncDispatcher.__aenter__`."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lualoft-dispatcher", daemon=True)
        self._thread.start()
        try:
            self._run(self._dispatcher.__aenter__()).result()
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is still unanswered as `unavailable`, then disconnect."""
        with self._closing:
            self._is_closed = True
        try:
            self._run(self._dispatcher.__aexit__(kind, error, trace)).result()
        finally:
            self._end_thread()

    @property
    def catalog(self) -> Catalog:
        """The scripts that are known by name."""
        return self._dispatcher.catalog

    def call(
        self,
        script: str | Script,
        function: str,
        *args: Any,  # noqa: ANN401 - the values of `normalise_arguments`
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
    ) -> Outcome:
        """Call a function and wait for its outcome; as `AsyncDispatcher.call`."""
        self._refuse_own_thread()
        return self.submit(script, function, args, deadline_s=deadline_s, queue=queue, idempotent=idempotent).result()

    def submit(  # noqa: PLR0913 - as AsyncDispatcher.submit
        self,
        script: str | Script,
        function: str,
        args: Sequence[Any],
        *,
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
        host: str = "",
    ) -> Future[Outcome]:
        """Make a call and return a future at once; a call that cannot be made fails the future."""

        async def ask() -> Outcome:
            return await self._dispatcher.submit(
                script, function, args, deadline_s=deadline_s, queue=queue, idempotent=idempotent, host=host
            )

        with self._closing:
            if not self._is_closed:
                future: Future[Outcome] = self._run(ask())
                return future
        closed: Future[Outcome] = Future()
        closed.set_result(Outcome(0, OutcomeKind.UNAVAILABLE, error="the dispatcher is closed"))
        return closed

    def map(
        self,
        calls: Iterable[Call],
        *,
        ordered: bool = True,
        in_flight: int = 1024,
        deadline_s: float | None = None,
        queue: str | None = None,
        idempotent: bool = False,
    ) -> Iterator[tuple[Call, Outcome]]:
        """Make many calls; as `AsyncDispatcher.map`.

        `calls` is read on the dispatcher's thread: while it waits for something, no call of this dispatcher goes on,
        and it must not use this dispatcher itself.
        """
        outcomes = self._dispatcher.map(
            calls, ordered=ordered, in_flight=in_flight, deadline_s=deadline_s, queue=queue, idempotent=idempotent
        )
        failure: Exception | None = None
        while failure is None:
            batch, failure = self._wait(_take(outcomes, MAP_BATCH))
            yield from batch
            if not batch:
                break
        if failure is not None:
            raise failure

    def _wait(self, work: Any) -> Any:  # noqa: ANN401 - any coroutine and its result
        self._refuse_own_thread()
        return self._run(work).result()

    def _run(self, work: Any) -> Any:  # noqa: ANN401 - any coroutine and a future of its result
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _refuse_own_thread(self) -> None:
        if threading.current_thread() is self._thread:
            message = (
                "called on the dispatcher's own thread (by the source of a `map`?): it would wait for itself for ever"
            )
            raise RuntimeError(message)

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        # Whoever still waits in another thread, as for a `map`, would wait for a loop that stands still.
        if left := asyncio.all_tasks(self._loop):
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _take(
    outcomes: AsyncIterator[tuple[Call, Outcome]], count: int
) -> tuple[list[tuple[Call, Outcome]], Exception | None]:
    """Take up to `count`; what went wrong after the last one is returned beside them, so that they are not lost."""
    batch: list[tuple[Call, Outcome]] = []
    try:
        async for pair in outcomes:
            batch.append(pair)
            if len(batch) == count:
                break
    except Exception as exc:  # noqa: BLE001 - raised by the caller, after the batch
        return batch, exc
    return batch, None
