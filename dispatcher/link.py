"""A dispatcher's link to Redis: its tasks, its back-off, and what it knows of the other side.

An AsyncDispatcher owns one. It sends what the coalescers release, reads the reply stream, counts the workers, and tells
its listener when Redis goes away and comes back. It holds no calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from dispatcher.protocol.connection import (
    REDIS_ERRORS,
    REDIS_FULL,
    REDIS_GONE,
    connect_async,
    connect_sync,
    describe,
    disconnect,
    longest_block_ms,
    require_key,
    translated,
    was_surely_not_done,
)
from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.protocol.sealing import Seal
from dispatcher.replies import MAX_BLOCK_MS, ReplyReader
from dispatcher.sender import FIRST_BACKOFF_S, Outgoing, Sender

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from dispatcher.protocol.settings import Settings

_log: Final = logging.getLogger("lualoft.dispatcher")

#: Seconds after which a task that did not end is cancelled again.
CANCEL_AGAIN_S: Final = 0.1

#: What redis-py writes between a command of a pipeline and Redis's answer to it.
PIPELINE_MARK: Final = "of pipeline caused error: "

#: Seconds between two looks at how many workers listen.
COUNT_WORKERS_EVERY_S: Final = 1.0


class LinkListener(Protocol):
    """Whom the link tells what happens."""

    def on_outcomes(self, outcomes: list[Outcome]) -> None:
        """Outcomes arrived."""

    def on_refusal(self, chunk_number: int, reason: str) -> None:
        """A worker could not open a chunk."""

    def on_written(self, chunk: Outgoing) -> None:
        """The write of a chunk ended, well or not."""

    def on_lost_chunk(self, chunk: Outgoing, *, may_have_arrived: bool) -> None:
        """The write of a chunk broke."""

    def on_refused_chunk(self, chunk: Outgoing, error: str) -> None:
        """Redis refused a chunk: it was not delivered."""

    def on_redis_away(self) -> None:
        """Redis does not answer."""

    def on_redis_back(self) -> None:
        """Redis answers again."""

    def on_worker_count(self, queue: str, workers: int) -> None:
        """So many workers listen on the queue."""


class Link:
    """The connections and tasks of one dispatcher."""

    def __init__(self, settings: Settings, dispatcher_id: str, listener: LinkListener) -> None:
        require_key(settings)
        seal = Seal.from_keys([settings.key.reveal()])
        self._redis_settings = settings.redis
        self._address = describe(settings.redis.url)
        self._listener = listener
        # Two clients, so that a read which blocks never keeps a write waiting for a connection. No retries inside
        # redis-py: a chunk whose answer was lost must not be sent twice behind our back.
        self._write_redis = connect_async(settings.redis, retry_count=0)
        self._read_redis = connect_async(settings.redis, retry_count=0)
        self._sender = Sender(self._write_redis, connect_sync(settings.redis), dispatcher_id, seal)
        self._reader = ReplyReader(
            self._read_redis,
            dispatcher_id,
            seal,
            listener.on_outcomes,
            listener.on_refusal,
            block_ms=min(MAX_BLOCK_MS, longest_block_ms(settings.redis)),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._away_since_s = 0.0
        self._away_reason = ""
        self._workers: dict[str, int] = {}
        self._queues: set[str] = set()
        self._queue_added = asyncio.Event()
        self._is_closing = False
        self.next_number = self._sender.next_number
        self.ship_again = self._sender.ship_again

    @property
    def is_away(self) -> bool:
        """Is Redis known not to answer?"""
        return self._away_since_s > 0

    async def open(self) -> None:
        """Connect and start the tasks. Raises UnavailableError when Redis does not answer."""
        try:
            with translated(self._redis_settings):
                await self._write_redis.ping()
        except LualoftError:
            await self._disconnect()
            raise
        self._spawn(self._read_forever())
        self._spawn(self._count_forever())

    async def close(self) -> None:
        """End the tasks, remove the reply stream, disconnect."""
        self._is_closing = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            # More than once: redis-py loses a cancellation that meets an answer, and the task then goes on.
            await asyncio.wait(self._tasks, timeout=CANCEL_AGAIN_S)
        if not self.is_away:
            with contextlib.suppress(*REDIS_ERRORS):
                await self._sender.forget()
        await self._disconnect()

    def watch_queue(self, queue: str) -> None:
        """Count the workers of this queue from now on."""
        self._queues.add(queue)
        self._queue_added.set()

    def send(self, chunk: Outgoing) -> None:
        """Send a chunk in a task of its own."""
        self._spawn(self._send(chunk))

    def why_unanswered(self, queue: str) -> tuple[OutcomeKind, str]:
        """Say how a call that reached its deadline without an outcome ends, and why."""
        if self.is_away:
            away_s = asyncio.get_running_loop().time() - self._away_since_s
            return (
                OutcomeKind.UNAVAILABLE,
                f"Redis at {self._address} has not answered for {away_s:.1f} s: {self._away_reason}",
            )
        if self._workers.get(queue) == 0:
            return OutcomeKind.UNAVAILABLE, f"no worker listens on queue {queue!r}: start one with `lualoft worker`"
        error = "the deadline passed before an outcome arrived"
        if self._reader.refused_count:
            # A worker may open our chunks with an old key and seal its answers with a new one that we do not have.
            error += f"; {self._reader.refused_count} replies could not be opened: has a worker a key that is not here?"
        return OutcomeKind.DEADLINE_EXCEEDED, error

    async def _send(self, chunk: Outgoing) -> None:
        try:
            await self._sender.send(chunk)
        except REDIS_FULL as exc:
            self._refused(chunk, exc)
        except REDIS_GONE as exc:
            self._note_away(exc)
            self._listener.on_lost_chunk(chunk, may_have_arrived=not was_surely_not_done(exc))
        except REDIS_ERRORS as exc:
            self._refused(chunk, exc)
        finally:
            # Whatever happened, or the slot would never come back.
            self._listener.on_written(chunk)

    def _refused(self, chunk: Outgoing, exc: BaseException) -> None:
        # Redis answered and said no (memory full, no permission).
        # redis-py puts the command in front of the answer, with sealed bytes in it.
        reason = str(exc).rpartition(PIPELINE_MARK)[2]
        self._listener.on_refused_chunk(chunk, f"Redis at {self._address} refused the chunk: {reason}")

    async def _read_forever(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._is_closing:
            try:
                await self._reader.read_once()
            except REDIS_ERRORS as exc:
                if isinstance(exc, REDIS_GONE):
                    self._note_away(exc)
            except Exception:  # noqa: BLE001 - a bug must not end the loop: every call would run into its deadline
                _log.exception("a reply could not be handled")
            else:
                backoff_s = FIRST_BACKOFF_S
                continue
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, self._redis_settings.max_backoff_s)

    async def _count_forever(self) -> None:
        while not self._is_closing:
            self._queue_added.clear()
            for queue in tuple(self._queues):
                with contextlib.suppress(*REDIS_ERRORS):
                    self._workers[queue] = await self._sender.worker_count(queue)
                    self._listener.on_worker_count(queue, self._workers[queue])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COUNT_WORKERS_EVERY_S):
                    await self._queue_added.wait()

    def _note_away(self, exc: BaseException) -> None:
        self._away_reason = str(exc)
        if self.is_away:
            return
        self._away_since_s = asyncio.get_running_loop().time()
        self._listener.on_redis_away()
        self._spawn(self._come_back())

    async def _come_back(self) -> None:
        await self._sender.wait_for_redis(self._redis_settings.max_backoff_s)
        self._away_since_s = 0.0
        # After a failover the clock that numbers the entries may be behind; what was read already is dropped by id.
        self._reader.rewind()
        self._listener.on_redis_back()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a task of the dispatcher failed", exc_info=task.exception())

    async def _disconnect(self) -> None:
        await disconnect(self._write_redis)
        await disconnect(self._read_redis)
