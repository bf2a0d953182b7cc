"""Takes chunks off the queue, many in flight, opens them, and gives back what it could not begin.

The main thread takes chunks and opens them; the engine runs them; the outbox calls `finish` from its own thread. What
RQ's listing and registries say of it all is kept by `RqBooks`.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_chunk, encode_chunk, encode_invocation
from dispatcher.protocol.connection import REDIS_ERRORS, is_wrong_type
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.rejection import shown_id
from dispatcher.protocol.rq_job import parse_job_id
from workers.intermediate import IntermediateList
from workers.key_repair import KeyRepair
from workers.opened import MAX_KEPT_S, Begin, OpenedChunks, note_done
from workers.rejected import RejectedList
from workers.rq_books import BEAT_EVERY_S, RqBooks, Ticket
from workers.work import TakenChunk

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from dispatcher.protocol.invocation import Chunk
    from dispatcher.protocol.rq_job import ChunkJob
    from dispatcher.protocol.sealing import Seal
    from workers.packages import PackageStore

_log: Final = logging.getLogger("lualoft.worker")

#: Seconds for which one look at the queue waits; a request to stop is noticed after at most that long.
DEQUEUE_S: Final = 1

#: The intermediate list, and keys that somebody may have spoiled, are looked at this often.
SWEEP_EVERY_S: Final = 5.0

#: A re-encoded invocation was accepted once already; no cap applies.
_NO_LIMIT: Final = 2**62


@dataclass(slots=True, frozen=True)
class HalfTaken:
    """A job that was taken when Redis went away."""

    job_id: str
    #: Its entry in our books, if it got that far, and its chunk.
    ticket: Ticket | None = None
    chunk: Chunk | None = None


class ChunkWorker:
    """The taking side of one worker, on one queue."""

    def __init__(
        self, queue: str, name: str, connection: Redis, taking: Redis, seal: Seal, packages: PackageStore
    ) -> None:
        """Set up without registering.

        Args:
            queue: the one queue to listen on.
            name: unique among all workers.
            connection: for all but the wait on the queue, from any thread.
            taking: waits on the queue, used by nobody else; its read time-out is longer than `DEQUEUE_S`.
            seal: opens chunks.
            packages: where the chunks' scripts come from.
        """
        self._queue = queue
        self._name = name
        self._redis = connection
        self._taking = taking
        self._taking_id = 0
        self._seal = seal
        self._packages = packages
        self._books = RqBooks(queue, name, connection)
        self._half_taken: list[HalfTaken] = []
        self._intermediate = IntermediateList(connection, queue)
        self._opened = OpenedChunks(connection, queue)
        self._rejected = RejectedList(connection, queue, name)
        self._repair = KeyRepair(connection, queue, name)
        self._sweep_s = self._repair_s = time.monotonic()
        #: Enters this worker into RQ's listing, and takes it out; raises redis errors.
        self.register = self._books.register
        self.register_death = self._books.register_death

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
            return self._fetch_scripts(ticket, chunk)
        except BaseException:
            self._forget(ticket, chunk)
            raise

    def _dequeue(self, wait_s: int | None) -> ChunkJob | None:
        """Move the next job id into RQ's intermediate list and fetch its job."""
        try:
            raw_id = self._books.move(self._taking, wait_s)
        except REDIS_ERRORS:
            # The move may have been done and its answer lost: then a job lies in the list of which nobody knows.
            self._sweep_s = -math.inf
            raise
        if raw_id is None:
            return None
        try:
            job = self._books.fetch(raw_id)
        except REDIS_ERRORS as exc:
            if not is_wrong_type(exc):
                self._half_taken.append(HalfTaken(raw_id.decode()))
                raise
            # Not given back: it would come again for ever.
            self._rejected.reject_wrong_type(raw_id.decode())
            return None
        if job is None:
            self._drop_entry(raw_id)
        return job

    def _drop_entry(self, raw_id: bytes) -> None:
        """Take an id out of the list behind which there is no job."""
        if parse_job_id(raw_id.decode("utf-8", "replace")) is None:
            self._rejected.reject_entry(raw_id, "it is no chunk, and no job")
            return
        # The chunk's deadlines are long past and Redis forgot it.
        _log.warning("chunk %s of queue %s has expired", shown_id(raw_id), self._queue)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lrem(keys.rq_intermediate(self._queue), 1, raw_id)  # type: ignore[arg-type]  # bytes are fine
            # Something without a chunk in it; it must not stay for ever, and may be a chunk again by now.
            pipeline.expire(keys.rq_job(raw_id.decode()), MAX_KEPT_S, nx=True)
            pipeline.execute()

    def _prepare(self, job: ChunkJob, chunk: Chunk) -> Ticket | None:
        """Enter a job into RQ's books as started by us; None when it was given back meanwhile, or opened before.

        Redis: RQ's first transaction, a script, RQ's second one. In this order a job is always in the intermediate list
        or in somebody's books, and only the one who removes it from the list runs it.
        """
        ticket: Ticket | None = None
        try:
            ticket = self._books.begin(job)
            begun = self._opened.begin(job.id, job.sealed, chunk)
            if begun is Begin.OURS:
                self._books.note_begun(ticket)
                return ticket
        except BaseException:
            self._half_taken.append(HalfTaken(job.id, ticket, chunk))
            raise
        self._books.drop(ticket)
        if begun is Begin.OPENED_BEFORE:
            self._rejected.reject_copy(job.id, len(job.sealed))
        return None

    def _forget(self, ticket: Ticket, chunk: Chunk) -> None:
        """Leave a job to be given back: it is begun in the books, and nothing of it runs."""
        self._books.forget(ticket)
        self._half_taken.append(HalfTaken(ticket.job.id, ticket, chunk))

    def give_back_half_taken(self) -> None:
        """Put jobs back that were taken only halfway because Redis went away in between.

        Redis: per job a script, or HGET and one transaction.

        Raises:
            redis errors: call it again.
        """
        while self._half_taken:
            half_taken = self._half_taken[0]
            if half_taken.ticket is None or half_taken.chunk is None:
                self._intermediate.give_back(half_taken.job_id)
            else:
                self._give_back_begun(half_taken.ticket, half_taken.chunk)
            self._half_taken.pop(0)

    def _give_back_begun(self, ticket: Ticket, chunk: Chunk) -> None:
        job = ticket.job
        begun_by: Any = self._redis.hget(job.key, "worker_name")
        with self._redis.pipeline(transaction=True) as pipeline:
            self._books.take_out(ticket, pipeline)
            # Whether our LREM was done is not known. If another worker has begun the job since, it is that one's.
            if not begun_by or begun_by.decode("utf-8", "replace") == self._name:
                pipeline.lrem(keys.rq_intermediate(self._queue), 1, job.id)
                # Sealed anew: the old one may be noted as opened already.
                pipeline.hset(job.key, "data", self._sealed_anew(job.id, chunk))
                note_done(pipeline, job.sealed)
                # First out of the queue, in case an attempt before this one was executed and its answer lost.
                pipeline.lrem(keys.rq_queue(self._queue), 1, job.id)
                pipeline.lpush(keys.rq_queue(self._queue), job.id)
            pipeline.execute()

    def _sealed_anew(self, job_id: str, chunk: Chunk) -> bytes:
        invocations = [encode_invocation(invocation, _NO_LIMIT) for invocation in chunk.invocations]
        data = encode_chunk(chunk.reply_key, invocations, chunk.attempt)
        return self._seal.seal(data, keys.chunk_context(self._queue, job_id))

    def stop_waiting(self) -> None:
        """Have a `take` that waits on the queue return at once; from any thread. Raises redis errors."""
        self._redis.client_unblock(self._taking_id)

    def _fetch_scripts(self, ticket: Ticket, chunk: Chunk) -> TakenChunk | None:
        wanted = {invocation.package_id for invocation in chunk.invocations}
        self._packages.fetch(wanted)
        packages = {package_id: package for package_id in wanted if (package := self._packages.get(package_id))}
        if not chunk.invocations:
            self._books.finish(ticket)
            return None
        return TakenChunk(chunk.reply_key, chunk.invocations, packages, ticket, chunk.attempt)

    # Finishing; `finish` is called from the outbox's thread.

    def finish(self, chunk: TakenChunk) -> None:
        """Close the RQ job of a chunk whose outcomes are all written. Redis: one transaction. Raises redis errors."""
        self._books.finish(_ticket(chunk))

    def release(self, chunk: TakenChunk, pipeline: Pipeline) -> str:
        """Put into `pipeline` what takes an unfinished chunk's job out of RQ's registries; returns the job's id."""
        ticket = _ticket(chunk)
        self._books.release(ticket, pipeline)
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
        if not self._books.is_listed():
            # Redis lost its data.
            self._books.register_again()
        self.give_back_half_taken()
        # After a reconnect it is another one.
        self._taking_id = self._taking.client_id()
        may_take = self._books.show()
        # What was there at the last look is looked for again at once: only the second look gives it back.
        if now_s - self._sweep_s >= (BEAT_EVERY_S if self._intermediate.has_suspects else SWEEP_EVERY_S):
            self._sweep_s = now_s
            self._intermediate.sweep()
        return may_take


def _ticket(chunk: TakenChunk) -> Ticket:
    if not isinstance(chunk.ticket, Ticket):
        message = "a chunk of another worker"
        raise TypeError(message)
    return chunk.ticket
