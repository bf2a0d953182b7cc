"""What a worker tells about itself once a second, for `lualoft status` and the metrics.

Written by the main thread of a worker into one hash that expires when the worker is gone.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys

if TYPE_CHECKING:
    from redis import Redis

    from workers.engine import Engine
    from workers.work import InFlight

#: Seconds after which the numbers of a silent worker are gone.
EXPIRES_S: Final = 15

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class StatsWriter:
    """Writes one worker's numbers."""

    def __init__(self, redis: Redis, name: str, queue: str, engine: Engine, in_flight: InFlight) -> None:
        self._redis = redis
        self._key = keys.worker_stats(name)
        self._queue = queue
        self._engine = engine
        self._in_flight = in_flight
        self._last_total = 0
        self._last_s = time.monotonic()

    def write(self) -> None:
        """Write the numbers. Redis: HSET and EXPIRE in one pipeline."""
        counts = dict(self._engine.counts)
        total = sum(counts.values())
        now_s = time.monotonic()
        rate = (total - self._last_total) / max(now_s - self._last_s, 0.001)
        self._last_total, self._last_s = total, now_s
        fields: dict[str, str | int | float] = {
            "queue": self._queue,
            "pid": os.getpid(),
            "invocations": total,
            "rate_per_s": round(rate, 1),
            "in_flight": self._in_flight.count,
            "instances": self._engine.instance_count,
            "rss_bytes": resident_bytes(),
        }
        fields |= {f"outcome_{kind}": count for kind, count in counts.items()}
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hset(self._key, mapping=fields)  # type: ignore[arg-type]  # redis-py types the values too narrowly
            pipeline.expire(self._key, EXPIRES_S)
            pipeline.execute()

    def remove(self) -> None:
        """Remove the numbers of a worker that stops."""
        self._redis.delete(self._key)


def resident_bytes() -> int:
    """Return the memory that this process has in RAM (Linux; 0 elsewhere)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
