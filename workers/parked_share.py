"""Tells the workers of a Redis of each other's parked scripts.

The main thread of a worker calls it once a second. What others may have written there is bounded before it is read, and
believed only with the proof of somebody who has the key (dispatcher/protocol/parked.py).
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.parked import FORGET_S, MAX_FIELDS, MAX_VALUE_BYTES, decode_parked, encode_parked

if TYPE_CHECKING:
    from redis import Redis

    from dispatcher.protocol.sealing import Seal
    from workers.breaker import Breaker

_log: Final = logging.getLogger("lualoft.worker")


class ParkedShare:
    """The parked scripts of one worker and those of all."""

    def __init__(self, redis: Redis, seal: Seal, breaker: Breaker) -> None:
        self._redis = redis
        self._seal = seal
        self._breaker = breaker
        self._known: dict[bytes, bytes] = {}

    def share(self) -> None:
        """Tell what was parked here, and learn from the others.

        Redis: HSET per news, EXPIRE, and a script that reads, in one pipeline.

        Raises:
            redis errors: call it again.
        """
        news = self._breaker.news()
        with self._redis.pipeline(transaction=False) as pipeline:
            for package_id, parked in news.items():
                value = encode_parked(package_id, parked, self._seal)
                pipeline.hset(keys.PARKED_SCRIPTS, package_id.hex(), value)
            if news:
                pipeline.expire(keys.PARKED_SCRIPTS, int(FORGET_S))
            pipeline.eval(_script(), 1, keys.PARKED_SCRIPTS, MAX_FIELDS, MAX_VALUE_BYTES)
            *_, found = pipeline.execute()
        self._breaker.note_told(news)
        if found is None:
            _log.error("deleted the key %s: more lay there than workers write", keys.PARKED_SCRIPTS)
        else:
            self._learn(found)

    def _learn(self, found: list[Any]) -> None:
        now = dict(zip(found[::2], found[1::2], strict=True))
        changed = {field: value for field, value in now.items() if self._known.get(field) != value}
        self._known = now
        self._breaker.learn(decode_parked(changed, self._seal))


@cache
def _script() -> str:
    return resources.files("workers").joinpath("parked.lua").read_text(encoding="ascii")
