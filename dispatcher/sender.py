"""Writes chunks to Redis: one transaction each, the scripts they name before them.

An AsyncDispatcher's own. It knows when Redis is away, waits for it with back-off, and says of a failed write whether
the chunk may have been delivered all the same.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys
from dispatcher.protocol.codec import encode_chunk
from dispatcher.protocol.connection import REDIS_ERRORS
from dispatcher.protocol.rq_job import enqueue, job_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

    from dispatcher.coalescer import Pending, Slot
    from dispatcher.protocol.sealing import Seal

#: A package in Redis lives this long after it was last shipped.
PACKAGE_EXPIRES_S: Final = 7 * 24 * 3600

#: A package is shipped again after this, so that a busy one never expires.
PACKAGE_RESHIP_S: Final = 24 * 3600

#: Packages that are remembered as shipped.
MAX_REMEMBERED: Final = 10_000

#: First pause between two attempts to reach Redis again; it doubles.
FIRST_BACKOFF_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A chunk on its way to a queue."""

    queue: str
    number: int
    invocations: list[Pending]
    #: Package id -> package, of every script that the invocations name.
    packages: dict[bytes, bytes]
    #: The send slot that it holds.
    slot: Slot
    #: Seconds after which nobody waits for it any more and Redis may forget it.
    keep_s: int


class Sender:
    """The writing half of a dispatcher's connection."""

    def __init__(self, redis: AsyncRedis, idle_redis: Redis, dispatcher_id: str, seal: Seal) -> None:
        """Set up without writing.

        Args:
            redis: the client that writes.
            idle_redis: a blocking client for RQ to hold; nothing is ever sent over it.
            dispatcher_id: names the chunks and the reply stream.
            seal: closes what is written.
        """
        self._redis = redis
        self._idle_redis = idle_redis
        self._dispatcher_id = dispatcher_id
        self._reply_key = keys.reply_stream(dispatcher_id)
        self._seal = seal
        self._numbers = itertools.count(1)
        self._shipped_s: dict[bytes, float] = {}

    def ship_again(self) -> None:
        """Ship every package once more with the next chunk: Redis has lost one."""
        self._shipped_s.clear()

    def next_number(self) -> int:
        """Number of the next chunk."""
        return next(self._numbers)

    async def send(self, chunk: Outgoing) -> None:
        """Write one chunk.

        Redis: MULTI, SET for each package not shipped yet, SADD, HSET, EXPIRE, RPUSH, EXEC; one round trip, atomic.

        Raises:
            redis errors; after one of `connection.REDIS_GONE` the chunk may have been delivered or not.
        """
        data = encode_chunk(self._reply_key, [pending.data for pending in chunk.invocations])
        identifier = job_id(self._dispatcher_id, chunk.number)
        sealed = self._seal.seal(data, keys.chunk_context(chunk.queue, identifier))
        shipped = self._to_ship(chunk.packages)
        async with self._redis.pipeline(transaction=True) as pipeline:
            for package_id in shipped:
                key = keys.script_package(package_id.hex())
                sealed_package = self._seal.seal(chunk.packages[package_id], keys.script_context(package_id.hex()))
                pipeline.set(key, sealed_package, ex=PACKAGE_EXPIRES_S)
            enqueue(pipeline, self._idle_redis, chunk.queue, identifier, sealed)  # type: ignore[arg-type]  # both pipelines collect alike
            # Without workers, dead chunks would pile up; a worker that takes this one lifts the limit.
            pipeline.expire(keys.rq_job(identifier), chunk.keep_s)
            await pipeline.execute()
        self._note_shipped(shipped)

    async def worker_count(self, queue: str) -> int:
        """Number of workers that listen on the queue, by RQ's own listing."""
        return int(await self._redis.scard(keys.rq_queue_workers(queue)))

    async def wait_for_redis(self, max_backoff_s: float) -> None:
        """Return when Redis answers again; it may have lost its data, so packages are shipped anew."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                await self._redis.ping()
            except REDIS_ERRORS:
                # Any answer but PONG: nobody else wakes a dispatcher that has paused, so this must not end early.
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, max_backoff_s)
            else:
                self._shipped_s.clear()
                return

    async def forget(self) -> None:
        """Remove the reply stream."""
        await self._redis.delete(self._reply_key)

    def _to_ship(self, packages: Iterable[bytes]) -> list[bytes]:
        too_old_s = asyncio.get_running_loop().time() - PACKAGE_RESHIP_S
        return [package_id for package_id in packages if self._shipped_s.get(package_id, too_old_s) <= too_old_s]

    def _note_shipped(self, package_ids: list[bytes]) -> None:
        self._shipped_s.update(dict.fromkeys(package_ids, asyncio.get_running_loop().time()))
        if len(self._shipped_s) > MAX_REMEMBERED:
            # Scripts made of strings come and go; forgetting costs a SET each.
            self._shipped_s = dict.fromkeys(package_ids, asyncio.get_running_loop().time())
