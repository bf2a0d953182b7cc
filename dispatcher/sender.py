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
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

    from dispatcher.coalescer import Pending, Slot
    from dispatcher.protocol.sealing import Seal

#: A package in Redis lives this long after it was last shipped.
PACKAGE_EXPIRES_S: Final = 7 * 24 * 3600

#: A package is shipped again after this, so that a busy one never expires.
PACKAGE_RESHIP_S: Final = 24 * 3600

#: First pause between two attempts to reach Redis again; it doubles.
FIRST_BACKOFF_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A chunk on its way to a queue."""

    queue: str
    number: int
    invocations: list[Pending]
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
        self._packages: dict[bytes, bytes] = {}
        self._shipped_s: dict[bytes, float] = {}

    def know_package(self, package_id: bytes, data: bytes) -> None:
        """Have the package shipped with the first chunk that is sent after this."""
        if package_id not in self._packages:
            self._packages[package_id] = data

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
        sealed = self._seal.seal(data, keys.chunk_context(chunk.queue))
        shipped = self._to_ship()
        async with self._redis.pipeline(transaction=True) as pipeline:
            for package_id in shipped:
                key = keys.script_package(package_id.hex())
                sealed_package = self._seal.seal(self._packages[package_id], keys.script_context(package_id.hex()))
                pipeline.set(key, sealed_package, ex=PACKAGE_EXPIRES_S)
            identifier = job_id(self._dispatcher_id, chunk.number)
            enqueue(pipeline, self._idle_redis, chunk.queue, identifier, sealed)  # type: ignore[arg-type]  # both pipelines collect alike
            # Without workers, dead chunks would pile up; a worker that takes this one lifts the limit.
            pipeline.expire(keys.rq_job(identifier), chunk.keep_s)
            await pipeline.execute()
        now_s = asyncio.get_running_loop().time()
        self._shipped_s.update(dict.fromkeys(shipped, now_s))

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

    def _to_ship(self) -> list[bytes]:
        if len(self._shipped_s) == len(self._packages) and not self._is_reship_due():
            return []
        return [package_id for package_id in self._packages if self._is_due(package_id)]

    def _is_reship_due(self) -> bool:
        oldest_s = min(self._shipped_s.values(), default=0.0)
        return asyncio.get_running_loop().time() - oldest_s > PACKAGE_RESHIP_S

    def _is_due(self, package_id: bytes) -> bool:
        shipped_s = self._shipped_s.get(package_id)
        return shipped_s is None or asyncio.get_running_loop().time() - shipped_s > PACKAGE_RESHIP_S
