"""Repairs what somebody else may have put under the keys that workers share, so that trouble ends when its maker does.

A worker calls it every few seconds. A key of another type would make every command on it fail for ever, and names of
workers that do not exist would have dispatchers count on them. Only keys of ours and of RQ's books are touched.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys

if TYPE_CHECKING:
    from redis import Redis

_log: Final = logging.getLogger("lualoft.worker")

#: Entries of a listing that are looked at in one go; what is left comes next time.
MAX_LOOKED_AT: Final = 1000


class KeyRepair:
    """The keys of one queue and one worker."""

    def __init__(self, redis: Redis, queue: str, worker_name: str) -> None:
        self._redis = redis
        self._listings = (keys.rq_queue_workers(queue), keys.RQ_WORKERS)
        self._types = {
            keys.rq_queue(queue): b"list",
            keys.rq_intermediate(queue): b"list",
            keys.rejected_list(queue): b"list",
            keys.rejected_count(queue): b"string",
            keys.POOLS: b"zset",
            keys.PARKED_SCRIPTS: b"hash",
            keys.RQ_QUEUES: b"set",
            keys.RQ_WORKERS: b"set",
            keys.rq_queue_workers(queue): b"set",
            keys.rq_started_registry(queue): b"zset",
            keys.rq_worker(worker_name): b"hash",
            keys.rq_worker_executions(worker_name): b"set",
            keys.worker_stats(worker_name): b"hash",
        }

    def repair(self) -> None:
        """Delete keys of another type, and take out names of workers that do not exist.

        Redis: TYPE of a dozen keys in one pipeline; SRANDMEMBER of two sets, and TYPE of the names; DEL and SREM where
        something is wrong.

        Raises:
            redis errors.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in self._types:
                pipeline.type(key)
            found = pipeline.execute()
        for (key, expected), kind in zip(self._types.items(), found, strict=True):
            if kind not in (expected, b"none"):
                _log.error("deleted the key %s: it was a %s, not a %s", key, kind.decode(), expected.decode())
                self._redis.delete(key)
        for listing in self._listings:
            self._clean(listing)

    def _clean(self, listing: str) -> None:
        members: Any = self._redis.srandmember(listing, MAX_LOOKED_AT)
        if not members:
            return
        prefix = keys.rq_worker("").encode()
        # Any other key is nothing that a worker may look at.
        possible = [member for member in members if member.startswith(prefix)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for member in possible:
                # Their type, not whether they exist: somebody may have made a key of that name.
                pipeline.type(member)
            kinds = pipeline.execute()
        here = {member for member, kind in zip(possible, kinds, strict=True) if kind == b"hash"}
        gone = [member for member in members if member not in here]
        if gone:
            self._redis.srem(listing, *gone)
