"""What `lualoft status` knows after one look: queues, workers, pools, parked scripts.

`status_data` reads it, `status_view` draws it, `--json` prints it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
    #: RQ's word: starting, idle, busy, suspended; or lost.
    state: str
    #: Seconds since it last told RQ that it lives; None: it never did.
    last_seen_s: float | None
    #: It is gone, or stands still: it has not been seen for `LOST_AFTER_S`, or its lease is not its own.
    is_lost: bool
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
class PoolStatus:
    """One supervisor and how its workers are, as it told within the last seconds."""

    host: str
    pid: int
    queue: str
    wanted_workers: int
    ready_workers: int
    #: Ends that nobody asked for, within five minutes, and how the last worker ended.
    deaths: int
    last_end: str
    #: Seconds until it starts the next worker; None: no start is due.
    next_start_s: float | None


@dataclass(frozen=True)
class ParkedScript:
    """A script whose calls end at once, because it kept hitting its limits."""

    name: str
    #: Seconds until it is let in again.
    left_s: float
    #: Was it checked that somebody with the key wrote so? Without a key here it may be anybody's.
    is_checked: bool


@dataclass(frozen=True)
class Status:
    """One look."""

    redis: str
    queues: list[QueueStatus] = field(default_factory=list)
    workers: list[WorkerStatus] = field(default_factory=list)
    pools: list[PoolStatus] = field(default_factory=list)
    parked_scripts: list[ParkedScript] = field(default_factory=list)
    #: How Redis is set up to lose calls, a sentence each.
    warnings: list[str] = field(default_factory=list)

    @property
    def serving(self) -> list[WorkerStatus]:
        """The workers that are there."""
        return [worker for worker in self.workers if not worker.is_lost]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        serving = self.serving
        return {
            "redis": self.redis,
            "totals": {
                "waiting_chunks": sum(queue.waiting_chunks for queue in self.queues),
                "workers": len(serving),
                "lost_workers": len(self.workers) - len(serving),
                "invocations": sum(worker.invocations for worker in self.workers),
                "rate_per_s": round(sum(worker.rate_per_s for worker in serving), 1),
                "in_flight": sum(worker.in_flight for worker in serving),
            },
            "queues": self.queues,
            "workers": self.workers,
            "pools": self.pools,
            "parked_scripts": self.parked_scripts,
            "warnings": self.warnings,
        }
