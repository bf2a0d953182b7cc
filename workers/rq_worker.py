"""A worker in RQ's eyes: takes chunks off the queue, many in flight, and keeps RQ's registries and listing truthful.

RQ's words stop here. The main thread takes chunks and opens them; the engine runs them; the outbox calls `finish` from
its own thread. Of a job only its sealed bytes are believed (see `dispatcher.protocol.rq_job`): no function is looked
up, no callback called, nothing unpickled.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from rq import SimpleWorker
from rq.exceptions import DequeueTimeout, NoSuchJobError
from rq.executions import Execution
from rq.suspension import is_suspended
from rq.utils import now
from rq.worker.base import WorkerStatus
from rq.worker_registration import clean_worker_registry

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_chunk
from dispatcher.protocol.connection import REDIS_ERRORS
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.reply import REFUSAL_FIELD, STREAM_EXPIRES_S
from dispatcher.protocol.rq_job import ChunkJob, NoSerializer, parse_job_id
from workers.intermediate import IntermediateList
from workers.work import TakenChunk

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from dispatcher.protocol.sealing import Seal
    from workers.packages import PackageStore

_log: Final = logging.getLogger("lualoft.worker")

#: In front of the names of our workers; others on the queue have no lease.
WORKER_NAME_PREFIX: Final = "lualoft-"

#: Seconds for which one look at the queue waits; a request to stop is noticed after at most that long.
DEQUEUE_S: Final = 1

#: RQ's heartbeats and state are written at most this often.
BEAT_EVERY_S: Final = 1.0

#: The intermediate list is looked at this often.
SWEEP_EVERY_S: Final = 5.0

#: Executions in flight tell RQ that they live this often; RQ forgets them after `ABANDONED_AFTER_S`.
EXECUTION_BEAT_EVERY_S: Final = 20.0


@dataclass(slots=True, eq=False)
class Ticket:
    """RQ's handle of a chunk in flight."""

    job: ChunkJob
    execution: Execution


class ChunkWorker(SimpleWorker):
    """An RQ worker that hands its jobs on instead of running them."""

    job_class = ChunkJob

    def __init__(
        self, queue: str, name: str, connection: Redis, taking: Redis, seal: Seal, packages: PackageStore
    ) -> None:
        """Set up without registering.

        Args:
            queue: the one queue to listen on; with a single one RQ moves jobs crash-safely.
            name: unique among all workers.
            connection: for RQ's books, from any thread.
            taking: waits on the queue, used by nobody else; its read time-out is longer than `DEQUEUE_S`.
            seal: opens chunks.
            packages: where the chunks' scripts come from.
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
        self._taking = taking
        self._taking_id = 0
        self._seal = seal
        self._packages = packages
        #: Jobs that were moved to the intermediate list when Redis went away: (job id, its execution if there is one).
        self._half_taken: list[tuple[str, Execution | None]] = []
        self._intermediate = IntermediateList(connection, queue)
        self._beat_s = 0.0
        self._execution_beat_s = self._sweep_s = time.monotonic()
        self._state_written = ""
        # prepare (main thread) and finish (outbox thread) both change RQ's table of executions.
        self._executions_lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        #: Chunks that did not unseal or decode.
        self.refused_count = 0

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

    def _set_ip_address(self, _connection: Redis) -> None:
        """Do not ask Redis for our address while the object is built: Redis may be away then."""
        self.ip_address = "unknown"

    def procline(self, message: str) -> None:
        """Leave the process title alone."""

    def register(self) -> None:
        """Enter this worker into RQ's listing.

        Redis: DEL of what an earlier registration or heartbeat left (RQ refuses a name that it knows), then RQ's own
        transaction.
        """
        self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    # Taking.

    def take(self) -> TakenChunk | None:
        """Wait up to `DEQUEUE_S` for a chunk; None when there was none or it had to be refused.

        Redis: BLMOVE, HGETALL, two pipelines of RQ's bookkeeping, and an MGET for scripts not seen before.

        Raises:
            redis errors.
        """
        job = self._dequeue()
        if job is None:
            return None
        ticket = self._prepare(job)
        if ticket is None:
            return None
        try:
            return self._open(ticket)
        except (SealError, CodecError) as exc:
            self._refuse(ticket, str(exc))
            return None
        except BaseException:
            self._forget(ticket)
            raise

    def _dequeue(self) -> ChunkJob | None:
        """Move the next job id into RQ's intermediate list and fetch its job."""
        (queue,) = self.queues
        try:
            _, raw_id = self.queue_class.lmove(self._taking, queue.key, DEQUEUE_S)
        except DequeueTimeout:
            return None
        try:
            job = cast("ChunkJob", ChunkJob.fetch(raw_id.decode(), connection=self.connection))
        except REDIS_ERRORS:
            self._half_taken.append((raw_id.decode(), None))
            raise
        except (NoSuchJobError, ValueError) as exc:
            # The chunk's deadlines are long past and Redis forgot it, or this was never a job.
            _log.warning("dropped an entry of queue %s: %s", queue.name, exc)
            self.connection.lrem(keys.rq_intermediate(queue.name), 1, raw_id)
            return None
        # Where it was taken from, not what its hash says.
        job.origin = queue.name
        return job

    def _prepare(self, job: ChunkJob) -> Ticket | None:
        """Enter a job into RQ's books as started by us; None when it was given back meanwhile.

        Redis: RQ's first transaction, LREM, RQ's second one. In this order a job is always in the intermediate list or
        in somebody's books, and only the one who removes it from the list runs it.
        """
        execution: Execution | None = None
        try:
            with self._executions_lock:
                execution = self.prepare_execution(job)
            is_ours = self._intermediate.own(job.id)
            if is_ours:
                self.prepare_job_execution(job, remove_from_intermediate_queue=False)
        except BaseException:
            self._half_taken.append((job.id, execution))
            raise
        if not is_ours:
            self._drop_execution(job, execution)
            return None
        ticket = Ticket(job, execution)
        self._tickets[job.id] = ticket
        return ticket

    def _drop_execution(self, job: ChunkJob, execution: Execution) -> None:
        with self._executions_lock, self.connection.pipeline(transaction=True) as pipeline:
            self.cleanup_execution(job, pipeline, execution)
            pipeline.execute()

    def _forget(self, ticket: Ticket) -> None:
        """Leave a job to be given back: it is begun in the books, and nothing of it runs."""
        self._tickets.pop(ticket.job.id, None)
        self._half_taken.append((ticket.job.id, ticket.execution))

    def give_back_half_taken(self) -> None:
        """Put jobs back that were taken only halfway because Redis went away in between.

        Redis: per job a script, or HGET and one transaction.

        Raises:
            redis errors: call it again.
        """
        while self._half_taken:
            job_id, execution = self._half_taken[0]
            if execution is None:
                self._intermediate.give_back(job_id)
            else:
                self._give_back_begun(job_id, execution)
            self._half_taken.pop(0)

    def _give_back_begun(self, job_id: str, execution: Execution) -> None:
        (queue,) = self.queues
        job = ChunkJob(job_id, connection=self.connection)
        job.origin = queue.name
        begun_by: Any = self.connection.hget(job.key, "worker_name")
        with self.connection.pipeline(transaction=True) as pipeline:
            self.cleanup_execution(job, pipeline, execution)
            # Whether our LREM was done is not known. If another worker has begun the job since, it is that one's.
            if not begun_by or begun_by.decode("utf-8", "replace") == self.name:
                pipeline.lrem(keys.rq_intermediate(queue.name), 1, job_id)
                # First out of the queue, in case an attempt before this one was executed and its answer lost.
                pipeline.lrem(queue.key, 1, job_id)
                pipeline.lpush(queue.key, job_id)
            pipeline.execute()

    def stop_waiting(self) -> None:
        """Have a `take` that waits on the queue return at once; from any thread. Raises redis errors."""
        self.connection.client_unblock(self._taking_id)

    def _open(self, ticket: Ticket) -> TakenChunk | None:
        context = keys.chunk_context(ticket.job.origin, ticket.job.id)
        chunk = decode_chunk(self._seal.unseal(ticket.job.sealed, context))
        wanted = {invocation.package_id for invocation in chunk.invocations}
        self._packages.fetch(wanted)
        packages = {package_id: package for package_id in wanted if (package := self._packages.get(package_id))}
        if not chunk.invocations:
            self.finish_ticket(ticket)
            return None
        return TakenChunk(chunk.reply_key, chunk.invocations, packages, ticket, chunk.attempt)

    def _refuse(self, ticket: Ticket, reason: str) -> None:
        """Tell the dispatcher, whose id is in the job's name, and fail the job."""
        self.refused_count += 1
        _log.error("refused chunk %s: %s", ticket.job.id, reason)
        sender = parse_job_id(ticket.job.id)
        if sender is not None:
            dispatcher_id, number = sender
            key = keys.reply_stream(dispatcher_id)
            with self.connection.pipeline(transaction=True) as pipeline:
                pipeline.xadd(key, {REFUSAL_FIELD: f"{number} {reason}"}, maxlen=10_000)
                pipeline.expire(key, STREAM_EXPIRES_S)
                pipeline.execute()
        self.finish_ticket(ticket, is_refused=True)

    # Finishing; called from the outbox's thread.

    def finish(self, chunk: TakenChunk) -> None:
        """Close the RQ job of a chunk whose outcomes are all written. Raises redis errors."""
        ticket = chunk.ticket
        if isinstance(ticket, Ticket):
            self.finish_ticket(ticket)

    def finish_ticket(self, ticket: Ticket, *, is_refused: bool = False) -> None:
        """Take the job out of RQ's registries, count it, delete it.

        Redis: one transaction, atomic.
        """
        job = ticket.job
        ended = now()
        with self._executions_lock, self.connection.pipeline(transaction=True) as pipeline:
            if is_refused:
                self.increment_failed_job_count(pipeline)
            else:
                self.increment_successful_job_count(pipeline)
            self.increment_total_working_time(ended - (job.started_at or ended), pipeline)
            self.cleanup_execution(job, pipeline, ticket.execution)
            # Not RQ's job.cleanup: that reads registries which a chunk is never in.
            pipeline.delete(job.key)
            pipeline.execute()
            self._tickets.pop(job.id, None)

    def release(self, chunk: TakenChunk, pipeline: Pipeline) -> str:
        """Put into `pipeline` what takes an unfinished chunk's job out of RQ's registries; returns the job's id."""
        ticket = chunk.ticket
        if not isinstance(ticket, Ticket):
            message = "a chunk of another worker"
            raise TypeError(message)
        with self._executions_lock:
            self.cleanup_execution(ticket.job, pipeline, ticket.execution)
            pipeline.delete(ticket.job.key)
            self._tickets.pop(ticket.job.id, None)
        return ticket.job.id

    # Once a second; called from the main thread.

    def beat(self) -> bool:
        """Tell RQ that this worker and its executions live, and what it does.

        Returns:
            whether chunks may be taken: not after `rq suspend`.

        Raises:
            redis errors.
        """
        if not self.connection.hexists(self.key, "birth") or not self.connection.sismember(keys.RQ_WORKERS, self.key):
            # Redis lost its data: register again, and let the listing show us.
            self._state_written = ""
            self.register()
        self.give_back_half_taken()
        # After a reconnect it is another one.
        self._taking_id = self._taking.client_id()
        may_take = not is_suspended(self.connection)
        idle = WorkerStatus.IDLE if may_take else WorkerStatus.SUSPENDED
        self.set_state(WorkerStatus.BUSY if self._tickets else idle)
        self.heartbeat()
        now_s = time.monotonic()
        if now_s - self._sweep_s >= SWEEP_EVERY_S:
            self._sweep_s = now_s
            self._intermediate.sweep()
        if now_s - self._execution_beat_s >= EXECUTION_BEAT_EVERY_S:
            self._execution_beat_s = now_s
            self._beat_executions()
            for queue in self.queues:
                clean_worker_registry(queue)
        return may_take

    def _beat_executions(self) -> None:
        with self.connection.pipeline(transaction=False) as pipeline:
            for ticket in list(self._tickets.values()):
                ttl_s = self.get_heartbeat_ttl(ticket.job)
                ticket.execution.heartbeat(ticket.job.started_job_registry, ttl_s, pipeline)
            pipeline.execute()

    @property
    def chunk_count(self) -> int:
        """Chunks in flight."""
        return len(self._tickets)


def release_execution(pipeline: Pipeline, redis: Redis, queue: str, composite_key: str, worker_name: str) -> str:
    """Put into `pipeline` what takes a dead worker's execution out of RQ's registries; returns the job's id.

    Args:
        pipeline: a transaction of the caller's.
        redis: what RQ wants to hold; nothing is sent over it.
        queue: the queue that the job came from.
        composite_key: a member of the worker's set of executions.
        worker_name: the dead worker.
    """
    execution = Execution.from_composite_key(composite_key, redis)
    execution.worker_name = worker_name
    job = ChunkJob(execution.job_id, connection=redis)
    job.origin = queue
    execution.delete(job=job, pipeline=pipeline)
    pipeline.lrem(keys.rq_intermediate(queue), 1, execution.job_id)
    return execution.job_id
