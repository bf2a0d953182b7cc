"""A worker in RQ's eyes: takes chunks off the queue, many in flight, and keeps RQ's registries and listing truthful.

RQ's words stop here. The main thread takes chunks and opens them; the engine runs them; the outbox calls `finish` from
its own thread. Of a job only its sealed bytes are believed (see `dispatcher.protocol.rq_job`): no function is looked
up, no callback called, nothing unpickled.
"""

from __future__ import annotations

import logging
import math
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

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_chunk, encode_chunk, encode_invocation
from dispatcher.protocol.connection import REDIS_ERRORS, is_wrong_type
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.rejection import shown_id
from dispatcher.protocol.rq_job import ChunkJob, NoSerializer, parse_job_id
from workers.intermediate import IntermediateList
from workers.key_repair import KeyRepair
from workers.opened import MAX_KEPT_S, Begin, OpenedChunks, note_done
from workers.rejected import RejectedList
from workers.work import TakenChunk

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from dispatcher.protocol.invocation import Chunk
    from dispatcher.protocol.sealing import Seal
    from workers.packages import PackageStore

_log: Final = logging.getLogger("lualoft.worker")

#: In front of the names of our workers; others on the queue have no lease.
WORKER_NAME_PREFIX: Final = "lualoft-"

#: Seconds for which one look at the queue waits; a request to stop is noticed after at most that long.
DEQUEUE_S: Final = 1

#: RQ's heartbeats and state are written at most this often.
BEAT_EVERY_S: Final = 1.0

#: The intermediate list, and keys that somebody may have spoiled, are looked at this often.
SWEEP_EVERY_S: Final = 5.0

#: A re-encoded invocation was accepted once already; no cap applies.
_NO_LIMIT: Final = 2**62

#: Executions in flight tell RQ that they live this often; RQ forgets them after `ABANDONED_AFTER_S`.
EXECUTION_BEAT_EVERY_S: Final = 20.0


@dataclass(slots=True, eq=False)
class Ticket:
    """RQ's handle of a chunk in flight."""

    job: ChunkJob
    execution: Execution
    chunk: Chunk


@dataclass(slots=True, frozen=True)
class HalfTaken:
    """A job that was taken when Redis went away."""

    job_id: str
    #: Its entry in our books, if it got that far, and its chunk.
    execution: Execution | None = None
    chunk: Chunk | None = None


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
        self._half_taken: list[HalfTaken] = []
        self._intermediate = IntermediateList(connection, queue)
        self._opened = OpenedChunks(connection, queue)
        self._rejected = RejectedList(connection, queue, name)
        self._repair = KeyRepair(connection, queue, name)
        self._beat_s = 0.0
        self._execution_beat_s = self._sweep_s = self._repair_s = time.monotonic()
        self._state_written = ""
        # prepare (main thread) and finish (outbox thread) both change RQ's table of executions.
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

        Redis: DEL of what an earlier registration or heartbeat left (RQ refuses a name that it knows), then RQ's own
        transaction.
        """
        self.connection.delete(self.key)
        self.register_birth()  # type: ignore[no-untyped-call]  # RQ leaves it untyped

    # Taking.

    def take(self, *, is_waiting: bool = True) -> TakenChunk | None:
        """Wait up to `DEQUEUE_S` for a chunk, or take one that is there; None if there was none or it was refused.

        Redis: BLMOVE or LMOVE, HGETALL, two pipelines of RQ's bookkeeping with a script between, and an MGET for
        scripts not seen before. What does not unseal is out of the queue after the HGETALL and one transaction.

        Raises:
            redis errors.
        """
        job = self._dequeue(DEQUEUE_S if is_waiting else None)
        if job is None:
            return None
        try:
            chunk = decode_chunk(self._seal.unseal(job.sealed, keys.chunk_context(job.origin, job.id)))
        except (SealError, CodecError) as exc:
            self._rejected.reject(job.id, str(exc), len(job.sealed))
            return None
        ticket = self._prepare(job, chunk)
        if ticket is None:
            return None
        try:
            return self._fetch_scripts(ticket)
        except BaseException:
            self._forget(ticket)
            raise

    def _dequeue(self, wait_s: int | None) -> ChunkJob | None:
        """Move the next job id into RQ's intermediate list and fetch its job."""
        (queue,) = self.queues
        try:
            moved = self.queue_class.lmove(self._taking, queue.key, wait_s)
        except DequeueTimeout:
            return None
        except REDIS_ERRORS:
            # The move may have been done and its answer lost: then a job lies in the list of which nobody knows.
            self._sweep_s = -math.inf
            raise
        if moved is None:
            return None
        _, raw_id = moved
        try:
            job = cast("ChunkJob", ChunkJob.fetch(raw_id.decode(), connection=self.connection))
        except REDIS_ERRORS as exc:
            if not is_wrong_type(exc):
                self._half_taken.append(HalfTaken(raw_id.decode()))
                raise
            # Not given back: it would come again for ever.
            self._rejected.reject_wrong_type(raw_id.decode())
            return None
        except (NoSuchJobError, ValueError):
            self._drop_entry(raw_id)
            return None
        # Where it was taken from, not what its hash says.
        job.origin = queue.name
        return job

    def _drop_entry(self, raw_id: bytes) -> None:
        """Take an id out of the list behind which there is no job."""
        if parse_job_id(raw_id.decode("utf-8", "replace")) is None:
            self._rejected.reject_entry(raw_id, "it is no chunk, and no job")
            return
        # The chunk's deadlines are long past and Redis forgot it.
        (queue,) = self.queues
        _log.warning("chunk %s of queue %s has expired", shown_id(raw_id), queue.name)
        with self.connection.pipeline(transaction=True) as pipeline:
            pipeline.lrem(keys.rq_intermediate(queue.name), 1, raw_id)  # type: ignore[arg-type]  # bytes are fine
            # Something without a chunk in it; it must not stay for ever, and may be a chunk again by now.
            pipeline.expire(keys.rq_job(raw_id.decode()), MAX_KEPT_S, nx=True)
            pipeline.execute()

    def _prepare(self, job: ChunkJob, chunk: Chunk) -> Ticket | None:
        """Enter a job into RQ's books as started by us; None when it was given back meanwhile, or opened before.

        Redis: RQ's first transaction, a script, RQ's second one. In this order a job is always in the intermediate list
        or in somebody's books, and only the one who removes it from the list runs it.
        """
        execution: Execution | None = None
        try:
            with self._executions_lock:
                execution = self.prepare_execution(job)
            begun = self._opened.begin(job.id, job.sealed, chunk)
            if begun is Begin.OURS:
                self.prepare_job_execution(job, remove_from_intermediate_queue=False)
        except BaseException:
            self._half_taken.append(HalfTaken(job.id, execution, chunk))
            raise
        if begun is not Begin.OURS:
            self._drop_execution(job, execution)
            if begun is Begin.OPENED_BEFORE:
                self._rejected.reject_copy(job.id, len(job.sealed))
            return None
        ticket = Ticket(job, execution, chunk)
        self._tickets[job.id] = ticket
        return ticket

    def _drop_execution(self, job: ChunkJob, execution: Execution) -> None:
        with self._executions_lock, self.connection.pipeline(transaction=True) as pipeline:
            self.cleanup_execution(job, pipeline, execution)
            pipeline.execute()

    def _forget(self, ticket: Ticket) -> None:
        """Leave a job to be given back: it is begun in the books, and nothing of it runs."""
        self._tickets.pop(ticket.job.id, None)
        self._half_taken.append(HalfTaken(ticket.job.id, ticket.execution, ticket.chunk))

    def give_back_half_taken(self) -> None:
        """Put jobs back that were taken only halfway because Redis went away in between.

        Redis: per job a script, or HGET and one transaction.

        Raises:
            redis errors: call it again.
        """
        while self._half_taken:
            half_taken = self._half_taken[0]
            if half_taken.execution is None or half_taken.chunk is None:
                self._intermediate.give_back(half_taken.job_id)
            else:
                self._give_back_begun(half_taken.job_id, half_taken.execution, half_taken.chunk)
            self._half_taken.pop(0)

    def _give_back_begun(self, job_id: str, execution: Execution, chunk: Chunk) -> None:
        (queue,) = self.queues
        job = ChunkJob(job_id, connection=self.connection)
        job.origin = queue.name
        begun_by: Any = self.connection.hget(job.key, "worker_name")
        with self.connection.pipeline(transaction=True) as pipeline:
            self.cleanup_execution(job, pipeline, execution)
            # Whether our LREM was done is not known. If another worker has begun the job since, it is that one's.
            if not begun_by or begun_by.decode("utf-8", "replace") == self.name:
                pipeline.lrem(keys.rq_intermediate(queue.name), 1, job_id)
                # Sealed anew: the old one may be noted as opened already.
                pipeline.hset(job.key, "data", self._sealed_anew(job_id, chunk))
                # First out of the queue, in case an attempt before this one was executed and its answer lost.
                pipeline.lrem(queue.key, 1, job_id)
                pipeline.lpush(queue.key, job_id)
            pipeline.execute()

    def _sealed_anew(self, job_id: str, chunk: Chunk) -> bytes:
        (queue,) = self.queues
        invocations = [encode_invocation(invocation, _NO_LIMIT) for invocation in chunk.invocations]
        data = encode_chunk(chunk.reply_key, invocations, chunk.attempt)
        return self._seal.seal(data, keys.chunk_context(queue.name, job_id))

    def stop_waiting(self) -> None:
        """Have a `take` that waits on the queue return at once; from any thread. Raises redis errors."""
        self.connection.client_unblock(self._taking_id)

    def _fetch_scripts(self, ticket: Ticket) -> TakenChunk | None:
        chunk = ticket.chunk
        wanted = {invocation.package_id for invocation in chunk.invocations}
        self._packages.fetch(wanted)
        packages = {package_id: package for package_id in wanted if (package := self._packages.get(package_id))}
        if not chunk.invocations:
            self.finish_ticket(ticket)
            return None
        return TakenChunk(chunk.reply_key, chunk.invocations, packages, ticket, chunk.attempt)

    # Finishing; called from the outbox's thread.

    def finish(self, chunk: TakenChunk) -> None:
        """Close the RQ job of a chunk whose outcomes are all written. Raises redis errors."""
        ticket = chunk.ticket
        if isinstance(ticket, Ticket):
            self.finish_ticket(ticket)

    def finish_ticket(self, ticket: Ticket) -> None:
        """Take the job out of RQ's registries, count it, delete it.

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
            self._tickets.pop(job.id, None)
            pipeline.execute()

    def release(self, chunk: TakenChunk, pipeline: Pipeline) -> str:
        """Put into `pipeline` what takes an unfinished chunk's job out of RQ's registries; returns the job's id."""
        ticket = chunk.ticket
        if not isinstance(ticket, Ticket):
            message = "a chunk of another worker"
            raise TypeError(message)
        with self._executions_lock:
            self.cleanup_execution(ticket.job, pipeline, ticket.execution)
            pipeline.delete(ticket.job.key)
            note_done(pipeline, ticket.job.sealed)
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
        now_s = time.monotonic()
        if now_s - self._repair_s >= SWEEP_EVERY_S:
            # First: what it repairs would make all the rest fail.
            self._repair_s = now_s
            self._repair.repair()
        if not self._is_listed():
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
        # What was there at the last look is looked for again at once: only the second look gives it back.
        if now_s - self._sweep_s >= (BEAT_EVERY_S if self._intermediate.has_suspects else SWEEP_EVERY_S):
            self._sweep_s = now_s
            self._intermediate.sweep()
        if now_s - self._execution_beat_s >= EXECUTION_BEAT_EVERY_S:
            self._execution_beat_s = now_s
            self._beat_executions()
        return may_take

    def _is_listed(self) -> bool:
        (queue,) = self.queues
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.hexists(self.key, "birth")
            pipeline.sismember(keys.RQ_WORKERS, self.key)
            pipeline.sismember(keys.rq_queue_workers(queue.name), self.key)
            return all(pipeline.execute())

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
