"""Reads what `lualoft status` shows: RQ's queues and workers, and the numbers that workers of ours write.

Everything is read, nothing changed; all names are plain, and nothing that stands there is believed.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dispatcher.cli.status_report import ParkedScript, PoolStatus, QueueStatus, Status, WorkerStatus
from dispatcher.protocol import keys
from dispatcher.protocol.parked import MAX_FIELDS, decode_parked
from dispatcher.protocol.pool_note import MAX_READ, PoolNote, decode_pool_note
from dispatcher.protocol.rejection import decode_rejection
from dispatcher.protocol.settings import MAX_DURATION_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dispatcher.protocol.connection import SyncRedis
    from dispatcher.protocol.sealing import Seal

#: Rejected jobs that are shown of each queue.
_SHOWN_REJECTIONS: Final = 10

#: Seconds after which a worker that was not seen counts as lost: it shows itself every second, every two when it waits.
LOST_AFTER_S: Final = 5.0

_OUTCOME_PREFIX: Final = "outcome_"

#: Beyond this a float is not exact; nothing that is counted comes near.
_MAX_NUMBER: Final = 2**53


def read_status(redis: SyncRedis, address: str, warnings: Sequence[str] = (), seal: Seal | None = None) -> Status:
    """Look once.

    Args:
        redis: where.
        address: of that, as it may be shown.
        warnings: what else there is to tell of it.
        seal: checks what workers have written with a proof; None: there is no key here.

    Redis: SMEMBERS twice, ZREVRANGE, three pipelines, HLEN, HGETALL; not atomic, so a worker that signs off meanwhile
    is left out.

    Raises:
        redis errors.
    """
    worker_names = sorted(_names(redis.smembers(keys.RQ_WORKERS), keys.rq_worker("")))
    queue_names = _names(redis.smembers(keys.RQ_QUEUES), keys.rq_queue(""))
    workers = _read_workers(redis, worker_names)
    # A queue exists for RQ from its first chunk on, for us from its first worker on.
    queues = _read_queues(redis, sorted(queue_names | {worker.queue for worker in workers}))
    return Status(address, queues, workers, _read_pools(redis), _read_parked(redis, seal), list(warnings))


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
            pipeline.get(_key(keys.worker_lease(name)))
        answers = iter(pipeline.execute())
    rows = zip(names, answers, answers, answers, strict=True)
    # A name without a hash is a worker that was killed; RQ forgets it later.
    return [_worker(name, _texts(rq), _texts(stats), lease) for name, rq, stats, lease in rows if rq]


def _read_pools(redis: SyncRedis) -> list[PoolStatus]:
    """Read what supervisors tell. Redis: ZREVRANGE, a GET for each."""
    names: Any = redis.zrevrange(keys.POOLS, 0, MAX_READ - 1)
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.get(keys.pool_note("").encode() + name)
        notes = [decode_pool_note(data) for data in pipeline.execute() if data is not None]
    found = [_pool(note) for note in notes if note is not None]
    return sorted(found, key=lambda pool: (pool.host, pool.pid))


def _pool(note: PoolNote) -> PoolStatus:
    return PoolStatus(
        note.host,
        note.pid,
        note.queue,
        note.wanted_workers,
        note.ready_workers,
        note.deaths,
        note.last_end,
        round(min(max(0.0, note.next_start_unix_s - time.time()), MAX_DURATION_S), 1)
        if note.next_start_unix_s
        else None,
    )


def _read_parked(redis: SyncRedis, seal: Seal | None) -> list[ParkedScript]:
    # Whoever can write to Redis may have filled it; workers delete it then.
    if redis.hlen(keys.PARKED_SCRIPTS) > MAX_FIELDS:
        return []
    found: Any = redis.hgetall(keys.PARKED_SCRIPTS)
    now_unix_s = time.time()
    parked = decode_parked(found, seal).values()
    left = ((one.name, round(one.until_unix_s - now_unix_s, 1)) for one in parked)
    return [ParkedScript(name, left_s, seal is not None) for name, left_s in sorted(left) if left_s > 0]


def _texts(answer: Mapping[bytes, bytes]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in answer.items()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _worker(name: str, rq: Mapping[str, str], stats: Mapping[str, str], lease: bytes | None) -> WorkerStatus:
    last_seen_s = _age_s(rq.get("last_heartbeat", ""))
    # Other RQ workers have no lease, and show themselves every few minutes.
    is_lost = name.startswith(keys.WORKER_NAME_PREFIX) and (
        lease != keys.LEASE_HELD or last_seen_s is None or last_seen_s > LOST_AFTER_S
    )
    return WorkerStatus(
        name=_shown(name),
        queue=stats.get("queue") or rq.get("queues", ""),
        state="lost" if is_lost else rq.get("state", ""),
        last_seen_s=last_seen_s,
        is_lost=is_lost,
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


def _age_s(text: str) -> float | None:
    """Return the seconds since a time that RQ wrote down; None for what is no time."""
    try:
        then = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return round(max(0.0, (datetime.now(UTC) - then).total_seconds()), 1)


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
