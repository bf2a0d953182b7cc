"""RQ's intermediate list: job ids between the move off the queue and their entry in a worker's books.

A worker that dies in between leaves its id here, and RQ itself would fail the job after a minute. Workers look now and
then, the pool right after a death. Whoever removes an id from the list owns the job, so nothing runs twice.
"""

from __future__ import annotations

import logging
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys

if TYPE_CHECKING:
    from redis import Redis

_log: Final = logging.getLogger("lualoft.recovery")


class IntermediateList:
    """The intermediate list of one queue."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self._redis = redis
        self._key = keys.rq_intermediate(queue)
        self._queue_key = keys.rq_queue(queue)
        self._script = redis.register_script(resources.files("workers").joinpath("give_back.lua").read_bytes())
        self._seen: set[bytes] = set()

    @property
    def has_suspects(self) -> bool:
        """Were there ids at the last look?"""
        return bool(self._seen)

    def own(self, job_id: str) -> bool:
        """Take an id out of the list for oneself; False when somebody else put the job back meanwhile. Redis: LREM."""
        return int(self._redis.lrem(self._key, 1, job_id)) > 0

    def give_back(self, job_id: str | bytes) -> bool:
        """Put a job back to the front of its queue if it is still in the list. Redis: one script, atomic."""
        return bool(self._script(keys=[self._key, self._queue_key], args=[job_id]))

    def sweep(self) -> None:
        """Give back what was there at the last look too: nobody takes that long to begin a job.

        Redis: LRANGE, and one script per id that is given back.
        """
        found: Any = self._redis.lrange(self._key, 0, -1)
        before, self._seen = self._seen, set(found)
        for job_id in self._seen & before:
            if self.give_back(job_id):
                _log.warning("put chunk %a back, which no worker had begun", job_id[:80])
