"""A worker in RQ's eyes: what stands in RQ's listing and registries of it and of the chunks that it has begun.

`ChunkWorker` keeps these books through it; the outbox's thread closes chunks in them. RQ's words stop here. Of a job
only its sealed bytes are believed (see `dispatcher.protocol.rq_job`): no function is looked up, no callback called,
nothing unpickled.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from rq import SimpleWorker
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.executions import Execution
from rq.suspension import is_suspended
from rq.utils import now, utcformat
from rq.worker.base import WorkerStatus

from dispatcher.protocol import keys
from dispatcher.protocol.rq_job import ChunkJob, NoSerializer
from workers.opened import note_done

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

#: RQ's heartbeats and state are written at most this often.
BEAT_EVERY_S: Final = 1.0

#: Of the note that a worker which registers is not alive yet, should it die right then.
DEATH_EXPIRES_S: Final = 60

#: Executions in flight tell RQ that they live this often; RQ forgets them after `ABANDONED_AFTER_S`.
EXECUTION_BEAT_EVERY_S: Final = 20.0


@dataclass(slots=True, eq=False)
class Ticket:
    """A job in the books."""

    job: ChunkJob
    execution: Execution


class RqBooks(SimpleWorker):
    """An RQ worker that only keeps books: it runs nothing."""

    job_class = ChunkJob

    def __init__(self, queue: str, name: str, connection: Redis) -> None:
        """Set up without registering.

        Args:
            queue: the one queue to listen on; with a single one RQ moves jobs crash-safely.
            name: unique among all workers.
            connection: used from any thread.
        """
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            job_class=ChunkJob,
            serializer=NoSerializer,
            log_job_description=False,
        )
        self.log_result_lifespan = False
        self._queue_name = queue
        self._beat_s = 0.0
        self._execution_beat_s = time.monotonic()
        self._state_written = ""
        # begin (main thread) and finish (outbox thread) both change RQ's table of executions.
        self._executions_lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}

    # What RQ does more often than a chunk of many invocations needs.

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Beat at most once per `BEAT_EVERY_S`; as part of a pipeline always."""
        now_s = time.monotonic()
        if pipeline is None and now_s - self._beat_s < BEAT_EVERY_S:
            return
        self._beat_s = now_s
        super().heartbeat(timeout, pipeline)

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """Write the state when it changes."""
        if state != self._state_written:
            self._state_written = state
            super().set_state(state, pipeline)

    def _set_connection(self, connection: Redis) -> Redis:
        """Leave the read time-out as the settings have it.

        RQ would raise it to seven minutes, for a wait on the queue that `_taking` does here; then a connection that a
        router has forgotten would hold this worker up until its lease has run out.
        """
        return connection

    def _set_ip_address(self, _connection: Redis) -> None:
        """Do not ask Redis for our address while the object is built: Redis may be away then."""
        self.ip_address = "unknown"

    def procline(self, message: str) -> None:
        """Leave the process title alone."""

    def register(self) -> None:
        """Enter this worker into RQ's listing.

        Redis: DEL of what an earlier registration or heartbeat left, HSET and EXPIRE in one transaction, then RQ's own.
        """
        with self.connection.pipeline(transaction=True) as pipeline:
            pipeline.delete(self.key)
            # RQ refuses a name that is there and not dead. It could be there again at once: the outbox thread finishes
            # a chunk between our DEL and RQ's look, and counts it under this key.
            pipeline.hset(self.key, "death", utcformat(now()))
            pipeline.expire(self.key, DEATH_EXPIRES_S)
            pipeline.execute()
        self.register_birth()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    def is_listed(self) -> bool:
        """Does RQ's listing still show this worker? Redis: HEXISTS, two SISMEMBER."""
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.hexists(self.key, "birth")
            pipeline.sismember(keys.RQ_WORKERS, self.key)
            pipeline.sismember(keys.rq_queue_workers(self._queue_name), self.key)
            return all(pipeline.execute())

    def register_again(self) -> None:
        """Register after Redis has lost its data."""
        self._state_written = ""
        self.register()

    def show(self) -> bool:
        """Tell RQ that this worker and its executions live, and what it does; returns False after `rq suspend`."""
        may_take = not is_suspended(self.connection)
        idle = WorkerStatus.IDLE if may_take else WorkerStatus.SUSPENDED
        self.set_state(WorkerStatus.BUSY if self._tickets else idle)
        self.heartbeat()
        now_s = time.monotonic()
        if now_s - self._execution_beat_s >= EXECUTION_BEAT_EVERY_S:
            self._execution_beat_s = now_s
            self._beat_executions()
        return may_take

    # The jobs.

    def move(self, taking: Redis, wait_s: int | None) -> bytes | None:
        """Move the next job id into RQ's intermediate list; None when there was none in time. Redis: BLMOVE, LMOVE."""
        try:
            moved = self.queue_class.lmove(taking, keys.rq_queue(self._queue_name), wait_s)
        except DequeueTimeout:
            return None
        return moved[1] if moved is not None else None

    def fetch(self, raw_id: bytes) -> ChunkJob | None:
        """Return the job of this id; None when there is none. Redis: HGETALL."""
        try:
            job = cast("ChunkJob", ChunkJob.fetch(raw_id.decode(), connection=self.connection))
        except (NoSuchJobError, ValueError):
            return None
        # Where it was taken from, not what its hash says.
        job.origin = self._queue_name
        return job

    def begin(self, job: ChunkJob) -> Ticket:
        """Enter a job as an execution of this worker. Redis: RQ's transaction."""
        with self._executions_lock:
            return Ticket(job, self.prepare_execution(job))

    def note_begun(self, ticket: Ticket) -> None:
        """Note that the job of an execution runs now. Redis: RQ's second transaction."""
        self.prepare_job_execution(ticket.job, remove_from_intermediate_queue=False)
        self._tickets[ticket.job.id] = ticket

    def forget(self, ticket: Ticket) -> None:
        """Let RQ's registries be: what becomes of the job is decided elsewhere."""
        self._tickets.pop(ticket.job.id, None)

    def drop(self, ticket: Ticket) -> None:
        """Take an execution out that came to nothing. Redis: one transaction."""
        with self.connection.pipeline(transaction=True) as pipeline:
            self.take_out(ticket, pipeline)
            pipeline.execute()

    def take_out(self, ticket: Ticket, pipeline: Pipeline) -> None:
        """Put into `pipeline` what takes an execution out."""
        with self._executions_lock:
            self.cleanup_execution(ticket.job, pipeline, ticket.execution)

    def finish(self, ticket: Ticket) -> None:
        """Take a job out of RQ's registries, count it, delete it; from any thread.

        Redis: one transaction, atomic.
        """
        job = ticket.job
        ended = now()
        with self._executions_lock, self.connection.pipeline(transaction=True) as pipeline:
            self.increment_successful_job_count(pipeline)
            self.increment_total_working_time(ended - (job.started_at or ended), pipeline)
            self.cleanup_execution(job, pipeline, ticket.execution)
            # Not RQ's job.cleanup: that reads registries which a chunk is never in.
            pipeline.delete(job.key)
            note_done(pipeline, job.sealed)
            # Before: a key that somebody spoiled makes `execute` raise after all the rest was done.
            self.forget(ticket)
            pipeline.execute()

    def release(self, ticket: Ticket, pipeline: Pipeline) -> None:
        """Put into `pipeline` what takes an unfinished job out of RQ's registries."""
        self.take_out(ticket, pipeline)
        pipeline.delete(ticket.job.key)
        note_done(pipeline, ticket.job.sealed)
        self.forget(ticket)

    def _beat_executions(self) -> None:
        with self.connection.pipeline(transaction=False) as pipeline:
            for ticket in list(self._tickets.values()):
                ttl_s = self.get_heartbeat_ttl(ticket.job)
                ticket.execution.heartbeat(ticket.job.started_job_registry, ttl_s, pipeline)
            pipeline.execute()


def release_execution(pipeline: Pipeline, redis: Redis, queue: str, composite_key: str, worker_name: str) -> str:
    """Put into `pipeline` what takes a dead worker's execution out of RQ's registries; returns the job's id.

    Args:
        pipeline: a transaction of the caller's.
        redis: what RQ wants to hold; nothing is sent over it.
        queue: the queue that the job came from.
        composite_key: a member of the worker's set of executions.
        worker_name: the dead worker.

    Raises:
        ValueError: the member is no execution.
    """
    execution = parse_execution(composite_key, redis)
    execution.worker_name = worker_name
    job = ChunkJob(execution.job_id, connection=redis)
    job.origin = queue
    execution.delete(job=job, pipeline=pipeline)
    pipeline.lrem(keys.rq_intermediate(queue), 1, execution.job_id)
    return execution.job_id


def parse_execution(composite_key: str, redis: Redis) -> Execution:
    """Read a member of a worker's set of executions. Raises ValueError when it is none."""
    if composite_key.count(":") != 1:
        # RQ would take it for an old form of its own, with a warning.
        raise ValueError("not an execution")
    return Execution.from_composite_key(composite_key, redis)
