"""Reads what `lualoft status` shows: RQ's queues and workers, and the numbers that workers of ours write.

One look is one object that can be printed as JSON. Everything is read, nothing changed; all names are plain.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.parked import parked_from_hash
from dispatcher.protocol.rejection import decode_rejection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dispatcher.protocol.connection import SyncRedis

#: Rejected jobs that are shown of each queue.
_SHOWN_REJECTIONS: Final = 10

_OUTCOME_PREFIX: Final = "outcome_"

#: Beyond this a float is not exact; nothing that is counted comes near.
_MAX_NUMBER: Final = 2**53


@dataclass(frozen=True)
class QueueStatus:
    """One queue."""

    name: str
    #: Chunks that nobody has taken yet.
    waiting_chunks: int
    #: Chunks that a worker runs.
    running_chunks: int
    #: Chunks that failed as a whole: they could not be opened.
    failed_chunks: int
    #: Jobs of the last days that workers rejected: sealed with another key, put back, or none of ours.
    rejected_jobs: int = 0
    #: The newest of them, newest first.
    rejections: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class WorkerStatus:
    """One worker; numbers that it has not written yet are 0."""

    name: str
    queue: str
    #: RQ's word: starting, idle, busy, suspended.
    state: str
    invocations: int
    rate_per_s: float
    in_flight: int
    instances: int
    rss_bytes: int
    #: RQ's count of chunks that this worker has done.
    chunks: int
    failed_chunks: int
    #: Outcome -> how many.
    outcomes: dict[str, int]


@dataclass(frozen=True)
class ParkedScript:
    """A script whose calls end at once, because it kept hitting its limits."""

    name: str
    #: Seconds until it is let in again.
    left_s: float


@dataclass(frozen=True)
class Status:
    """One look."""

    redis: str
    queues: list[QueueStatus] = field(default_factory=list)
    workers: list[WorkerStatus] = field(default_factory=list)
    parked_scripts: list[ParkedScript] = field(default_factory=list)
    #: How Redis is set up to lose calls, a sentence each.
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        return {
            "redis": self.redis,
            "totals": {
                "waiting_chunks": sum(queue.waiting_chunks for queue in self.queues),
                "workers": len(self.workers),
                "invocations": sum(worker.invocations for worker in self.workers),
                "rate_per_s": round(sum(worker.rate_per_s for worker in self.workers), 1),
                "in_flight": sum(worker.in_flight for worker in self.workers),
            },
            "queues": self.queues,
            "workers": self.workers,
            "parked_scripts": self.parked_scripts,
            "warnings": self.warnings,
        }


def read_status(redis: SyncRedis, address: str, warnings: Sequence[str] = ()) -> Status:
    """Look once.

    Redis: SMEMBERS twice, two pipelines, HGETALL; not atomic, so a worker that signs off meanwhile is left out.

    Raises:
        redis errors.
    """
    worker_names = sorted(_names(redis.smembers(keys.RQ_WORKERS), keys.rq_worker("")))
    queue_names = _names(redis.smembers(keys.RQ_QUEUES), keys.rq_queue(""))
    workers = _read_workers(redis, worker_names)
    # A queue exists for RQ from its first chunk on, for us from its first worker on.
    queues = _read_queues(redis, sorted(queue_names | {worker.queue for worker in workers}))
    return Status(address, queues, workers, _read_parked(redis), list(warnings))


def _names(members: Any, prefix: str) -> set[str]:  # noqa: ANN401 - redis-py's answer
    # Bytes that are not UTF-8 keep their place in a name, so that its keys are found.
    return {member.decode("utf-8", "surrogateescape").removeprefix(prefix) for member in members}


def _key(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _shown(name: str) -> str:
    return _key(name).decode("utf-8", "backslashreplace")


def _read_workers(redis: SyncRedis, names: list[str]) -> list[WorkerStatus]:
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hgetall(_key(keys.rq_worker(name)))
            pipeline.hgetall(_key(keys.worker_stats(name)))
        answers = [_texts(answer) for answer in pipeline.execute()]
    found = zip(names, answers[::2], answers[1::2], strict=True)
    # A name without a hash is a worker that was killed; RQ forgets it later.
    return [_worker(name, rq, stats) for name, rq, stats in found if rq]


def _read_parked(redis: SyncRedis) -> list[ParkedScript]:
    now_unix_s = time.time()
    found = parked_from_hash(redis.hgetall(keys.PARKED_SCRIPTS)).values()  # type: ignore[arg-type]  # not an awaitable
    left = ((parked.name, round(parked.until_unix_s - now_unix_s, 1)) for parked in found)
    return [ParkedScript(name, left_s) for name, left_s in sorted(left) if left_s > 0]


def _texts(answer: Mapping[bytes, bytes]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in answer.items()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _worker(name: str, rq: Mapping[str, str], stats: Mapping[str, str]) -> WorkerStatus:
    return WorkerStatus(
        name=_shown(name),
        queue=stats.get("queue") or rq.get("queues", ""),
        state=rq.get("state", ""),
        invocations=_count(stats.get("invocations")),
        rate_per_s=_number(stats.get("rate_per_s")),
        in_flight=_count(stats.get("in_flight")),
        instances=_count(stats.get("instances")),
        rss_bytes=_count(stats.get("rss_bytes")),
        chunks=_count(rq.get("successful_job_count")),
        failed_chunks=_count(rq.get("failed_job_count")),
        outcomes={
            key.removeprefix(_OUTCOME_PREFIX): _count(value)
            for key, value in stats.items()
            if key.startswith(_OUTCOME_PREFIX)
        },
    )


def _number(text: str | None) -> float:
    """Return a number that somebody wrote into Redis; 0 for what is none, or none that a count or a rate can be."""
    try:
        number = float(text or 0)
    except ValueError:
        return 0.0
    return number if 0 <= number <= _MAX_NUMBER else 0.0


def _count(text: str | None) -> int:
    return int(_number(text))


def _read_queues(redis: SyncRedis, names: list[str]) -> list[QueueStatus]:
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(_key(keys.rq_queue(name)))
            pipeline.zcard(_key(keys.rq_started_registry(name)))
            pipeline.zcard(_key(keys.rq_failed_registry(name)))
            pipeline.get(_key(keys.rejected_count(name)))
            pipeline.lrange(_key(keys.rejected_list(name)), 0, _SHOWN_REJECTIONS - 1)
        answers = iter(pipeline.execute())
    rows = zip(answers, answers, answers, answers, answers, strict=True)
    return [
        QueueStatus(_shown(name), waiting, running, failed, _count(_text(rejected or b"")), _rejections(entries))
        for name, (waiting, running, failed, rejected, entries) in zip(names, rows, strict=True)
    ]


def _rejections(entries: list[bytes]) -> list[dict[str, Any]]:
    found = (decode_rejection(entry) for entry in entries)
    return [
        {"job_id": one.job_id, "reason": one.reason, "worker": one.worker, "at_unix_s": one.at_unix_s}
        for one in found
        if one is not None
    ]
