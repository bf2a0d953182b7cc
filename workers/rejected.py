"""The rejected list: where a worker notes the jobs that it did not open, so that somebody can look at them.

`rq_worker` calls it for what does not unseal, is no chunk, or was opened before. The list is bounded and expires; it
holds nothing of a job's content. Rejecting must never fail on what the job's sender put into Redis.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_GONE
from dispatcher.protocol.rejection import EXPIRES_S, MAX_ENTRIES, Rejection, encode_rejection, shown_id
from dispatcher.protocol.reply import REFUSAL_FIELD, STREAM_EXPIRES_S
from dispatcher.protocol.rq_job import parse_job_id
from workers.opened import MAX_KEPT_S

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

_log: Final = logging.getLogger("lualoft.worker")

#: Seconds between two log lines about rejected jobs: whoever can write to Redis can have thousands rejected.
LOG_EVERY_S: Final = 1.0

#: Entries of a reply stream that a refusal leaves, about.
_MAX_STREAM_ENTRIES: Final = 10_000


class RejectedList:
    """The rejected list of one queue, from the side of one worker."""

    def __init__(self, redis: Redis, queue: str, worker_name: str) -> None:
        self._redis = redis
        self._queue = queue
        self._worker_name = worker_name
        self._logged_s = -LOG_EVERY_S
        self._unlogged_count = 0

    def reject(self, job_id: str, reason: str, size_bytes: int) -> None:
        """Move a job that does not open to the list, and tell the dispatcher after which it is named.

        Redis: one transaction. Raises redis errors while Redis is away or full; the job is then still in RQ's
        intermediate list, whose sweep gives it back.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(keys.rq_job(job_id))
            self._add(pipeline, job_id, reason, size_bytes)
            self._tell_sender(pipeline, job_id, reason)
            _execute(pipeline)

    def reject_copy(self, job_id: str, size_bytes: int) -> None:
        """Note down that a chunk was put back; its job may be in flight, so that stays, and its sender is not told.

        Redis and Raises: as above.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            # What nobody has begun or finishes must not stay for ever.
            pipeline.expire(keys.rq_job(job_id), MAX_KEPT_S, nx=True)
            self._add(pipeline, job_id, "the chunk was opened before: somebody put it back", size_bytes)
            _execute(pipeline)

    def reject_wrong_type(self, job_id: str) -> None:
        """Move a job whose key is no job's to the list. Redis and Raises: as above."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(keys.rq_job(job_id))
            self._add(pipeline, job_id, "its key holds another type than a job", 0)
            _execute(pipeline)

    def reject_entry(self, raw_id: bytes, reason: str) -> None:
        """Note down an entry of the queue behind which there is no job. Redis and Raises: as above."""
        with self._redis.pipeline(transaction=True) as pipeline:
            self._add(pipeline, raw_id, reason, 0)
            _execute(pipeline)

    def _add(self, pipeline: Pipeline, raw_id: bytes | str, reason: str, size_bytes: int) -> None:
        rejection = Rejection(shown_id(raw_id), reason, self._worker_name, round(time.time(), 3), size_bytes)
        list_key, count_key = keys.rejected_list(self._queue), keys.rejected_count(self._queue)
        pipeline.lrem(keys.rq_intermediate(self._queue), 1, raw_id)  # type: ignore[arg-type]  # bytes are fine
        pipeline.lpush(list_key, encode_rejection(rejection))
        pipeline.ltrim(list_key, 0, MAX_ENTRIES - 1)
        pipeline.expire(list_key, EXPIRES_S)
        pipeline.incr(count_key)
        pipeline.expire(count_key, EXPIRES_S)
        # What RQ's tools show as failed.
        pipeline.hincrby(keys.rq_worker(self._worker_name), "failed_job_count", 1)
        self._log(rejection)

    def _tell_sender(self, pipeline: Pipeline, job_id: str, reason: str) -> None:
        sender = parse_job_id(job_id)
        if sender is None:
            return
        dispatcher_id, number = sender
        key = keys.reply_stream(dispatcher_id)
        pipeline.xadd(key, {REFUSAL_FIELD: f"{number} {reason}"}, maxlen=_MAX_STREAM_ENTRIES)
        pipeline.expire(key, STREAM_EXPIRES_S)

    def _log(self, rejection: Rejection) -> None:
        now_s = time.monotonic()
        if now_s - self._logged_s < LOG_EVERY_S:
            self._unlogged_count += 1
            return
        self._logged_s = now_s
        more = f" (and {self._unlogged_count} others before it)" if self._unlogged_count else ""
        self._unlogged_count = 0
        _log.error("rejected job %s: %s%s", rejection.job_id, rejection.reason, more)


def _execute(pipeline: Pipeline) -> None:
    """Send the commands. A key of another type, put there by somebody, costs its own entry and nothing else."""
    results: list[Any] = pipeline.execute(raise_on_error=False)
    for result in results:
        if isinstance(result, REDIS_GONE):
            raise result
        if isinstance(result, Exception):
            # Not its text: redis-py puts the command in it.
            _log.error("Redis refuses a part of rejecting a job: %s", type(result).__name__)
