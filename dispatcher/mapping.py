"""Many calls with a bounded number in flight: the engine room of `AsyncDispatcher.map`.

Knows nothing of scripts: it turns a stream of calls into a stream of (call, outcome), in order or as they complete.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable

    from dispatcher.protocol.outcome import Outcome

T = TypeVar("T")


def map_calls(
    ask: Callable[[T], asyncio.Future[Outcome]],
    calls: Iterable[T] | AsyncIterable[T],
    *,
    ordered: bool,
    in_flight: int,
) -> AsyncIterator[tuple[T, Outcome]]:
    """Yield (call, outcome) for every call.

    Args:
        ask: makes the call.
        calls: read only while fewer than `in_flight` calls are unanswered or not yet given out.
        ordered: in the order of `calls`, or as they complete.
        in_flight: at least 1.
    """
    if in_flight < 1:
        message = f"in_flight must be at least 1, not {in_flight}"
        raise ValueError(message)
    window: _Window[T] = _OrderedWindow() if ordered else _CompletionWindow()
    if hasattr(calls, "__aiter__"):
        return _from_stream(ask, cast("AsyncIterable[T]", calls), window, in_flight)
    return _from_iterable(ask, calls, window, in_flight)


async def _from_iterable(
    ask: Callable[[T], asyncio.Future[Outcome]], calls: Iterable[T], window: _Window[T], in_flight: int
) -> AsyncIterator[tuple[T, Outcome]]:
    failure: Exception | None = None
    source = iter(calls)
    try:
        while failure is None:
            try:
                call = next(source)
                window.add(call, ask(call))
            except StopIteration:
                break
            except Exception as exc:  # noqa: BLE001 - raised below, after the outcomes of the calls before it
                failure = exc
            if len(window) >= in_flight:
                yield await window.take()
        while len(window):
            yield await window.take()
    finally:
        window.cancel()
    if failure is not None:
        raise failure


async def _from_stream(
    ask: Callable[[T], asyncio.Future[Outcome]], calls: AsyncIterable[T], window: _Window[T], in_flight: int
) -> AsyncIterator[tuple[T, Outcome]]:
    # A stream may pause for long; its reader is a task of its own, so that outcomes are given out meanwhile.
    room = asyncio.Semaphore(in_flight)
    feeder = asyncio.ensure_future(_feed(ask, calls, window, room))
    try:
        while not (feeder.done() and not len(window)):
            taking = asyncio.ensure_future(window.take())
            await asyncio.wait({taking, feeder}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done() and not len(window):
                taking.cancel()
                break
            yield await taking
            room.release()
        await feeder
    finally:
        feeder.cancel()
        window.cancel()


async def _feed(
    ask: Callable[[T], asyncio.Future[Outcome]], calls: AsyncIterable[T], window: _Window[T], room: asyncio.Semaphore
) -> None:
    async for call in calls:
        await room.acquire()
        window.add(call, ask(call))


class _Window(Generic[T]):
    """The calls that are made and not yet given out."""

    def __len__(self) -> int:
        """Count them."""
        raise NotImplementedError

    def add(self, call: T, future: asyncio.Future[Outcome]) -> None:
        """Take a call that was just made."""
        raise NotImplementedError

    async def take(self) -> tuple[T, Outcome]:
        """Wait for the next one to give out; if there is none, for the next one that is added."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Wait for none of them any more."""
        raise NotImplementedError


class _OrderedWindow(_Window[T]):
    def __init__(self) -> None:
        self._asked: deque[tuple[T, asyncio.Future[Outcome]]] = deque()
        self._added = asyncio.Event()

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, call: T, future: asyncio.Future[Outcome]) -> None:
        self._asked.append((call, future))
        self._added.set()

    async def take(self) -> tuple[T, Outcome]:
        while not self._asked:
            self._added.clear()
            await self._added.wait()
        outcome = await self._asked[0][1]
        return self._asked.popleft()[0], outcome

    def cancel(self) -> None:
        for _, future in self._asked:
            future.cancel()


class _CompletionWindow(_Window[T]):
    def __init__(self) -> None:
        self._asked: dict[asyncio.Future[Outcome], T] = {}
        self._done: deque[asyncio.Future[Outcome]] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, call: T, future: asyncio.Future[Outcome]) -> None:
        self._asked[future] = call
        future.add_done_callback(self._note_done)

    async def take(self) -> tuple[T, Outcome]:
        while not self._done:
            self._wake.clear()
            await self._wake.wait()
        future = self._done.popleft()
        return self._asked.pop(future), future.result()

    def cancel(self) -> None:
        for future in self._asked:
            future.cancel()

    def _note_done(self, future: asyncio.Future[Outcome]) -> None:
        if not future.cancelled():
            self._done.append(future)
            self._wake.set()
