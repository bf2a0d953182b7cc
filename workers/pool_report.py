"""Tells in Redis how a pool is, for `lualoft status`.

The supervisor says what there is to tell; a thread of its own writes it, because a Redis that is slow or away must hold
up neither the replacement of workers nor the drain. What cannot be written is tried again with what is true by then.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync
from dispatcher.protocol.pool_note import EXPIRES_S, LISTED_S, encode_pool_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.pool_note import PoolNote
    from dispatcher.protocol.settings import RedisSettings

_log: Final = logging.getLogger("lualoft.pool")

#: Seconds between two writes of the same.
WRITE_EVERY_S: Final = 5.0

#: Least pause between two writes: workers may come and go faster.
LEAST_PAUSE_S: Final = 0.1

#: Seconds for which a pool that ends waits for its note to be taken away.
STOP_LIMIT_S: Final = 1.0


class PoolReport:
    """The note of one pool."""

    def __init__(self, redis: RedisSettings, name: str) -> None:
        """Set up without writing.

        Args:
            redis: where to.
            name: of this pool, unique among all.
        """
        self._redis = connect_sync(redis, retry_count=0)
        self._name = name
        self._key = keys.pool_note(name)
        self._note: PoolNote | None = None
        self._is_ended = False
        self._changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pool-report", daemon=True)

    def tell(self, note: PoolNote) -> None:
        """Have this written soon, if it is new."""
        if note != self._note:
            self._note = note
            self._changed.set()
        if not self._thread.is_alive() and not self._is_ended:
            self._thread.start()

    def end(self) -> None:
        """Take the note away, if that can be done within `STOP_LIMIT_S`; otherwise it expires."""
        self._is_ended = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(STOP_LIMIT_S)

    def _run(self) -> None:
        while not self._is_ended:
            self._try(self._write)
            time.sleep(LEAST_PAUSE_S)
            self._changed.wait(WRITE_EVERY_S)
            # Before the next look at both: what is set after this is seen then.
            self._changed.clear()
        self._try(self._remove)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except REDIS_ERRORS as exc:
            _log.debug("the note of this pool cannot be written: %s", type(exc).__name__)

    def _write(self) -> None:
        """Write it. Redis: SET, ZADD, ZREMRANGEBYSCORE and EXPIRE in one pipeline."""
        if self._note is None:
            return
        now_unix_s = time.time()
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._key, encode_pool_note(self._note), ex=EXPIRES_S)
            pipeline.zadd(keys.POOLS, {self._name: now_unix_s})
            pipeline.zremrangebyscore(keys.POOLS, "-inf", now_unix_s - LISTED_S)
            pipeline.expire(keys.POOLS, LISTED_S)
            pipeline.execute()

    def _remove(self) -> None:
        """Take it away. Redis: DEL and ZREM in one pipeline."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(self._key)
            pipeline.zrem(keys.POOLS, self._name)
            pipeline.execute()
