"""Gives back what a worker had begun: all of it after a crash, the unanswered rest when it stops.

The pool calls it for a dead child, a stopping worker for itself. Idempotent invocations run again; the others end as
`worker_lost`, because they may have run. An outcome that was already delivered wins over both.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_chunk, encode_chunk, encode_invocation, encode_outcomes
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.protocol.reply import OUTCOMES_FIELD, STREAM_EXPIRES_S
from dispatcher.protocol.rq_job import enqueue, suspect_id
from workers.intermediate import IntermediateList
from workers.lease import claim, is_claimed, keep_claim
from workers.opened import is_done, note_done
from workers.rq_books import release_execution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis import Redis
    from redis.client import Pipeline

    from dispatcher.protocol.invocation import Chunk, Invocation
    from dispatcher.protocol.sealing import Seal
    from workers.rq_worker import ChunkWorker
    from workers.running_note import Suspect
    from workers.work import TakenChunk

_log: Final = logging.getLogger("lualoft.recovery")

#: `Chunk.attempt` past which an invocation ends as `worker_lost`. A death counts for what ran in the worker then, and
#: hardly for what only waited there: of those, the second death and the tenth are the last.
MAX_ATTEMPT: Final = 10
SUSPECT_CHARGE: Final = 5
MATE_CHARGE: Final = 1

#: A re-encoded invocation was accepted once already; no cap applies.
_NO_LIMIT: Final = 2**62


class Recovery:
    """Returns begun work of one queue."""

    def __init__(self, redis: Redis, seal: Seal, queue: str) -> None:
        self._redis = redis
        self._seal = seal
        self._queue = queue
        self._intermediate = IntermediateList(redis, queue)

    @property
    def has_suspects(self) -> bool:
        """May a dead worker have left jobs between the queue and its books? Then `sweep` is due."""
        return self._intermediate.has_suspects

    def sweep(self) -> None:
        """Give back jobs that nobody has begun since the last look. Raises redis errors."""
        self._intermediate.sweep()

    def give_back(self, chunk: TakenChunk, worker: ChunkWorker) -> None:
        """Return the unanswered invocations of a chunk whose worker stops in good order. Raises redis errors."""
        again: list[Invocation] = []
        lost: list[Invocation] = []
        for invocation in chunk.invocations:
            if invocation.id not in chunk.answered:
                (lost if invocation.id in chunk.begun else again).append(invocation)
        with self._redis.pipeline(transaction=True) as pipeline:
            identifier = worker.release(chunk, pipeline)
            self._answer_lost(pipeline, chunk.reply_key, lost)
            self._send_again(pipeline, identifier, chunk.reply_key, again, chunk.attempt)
            pipeline.execute()

    def claim_abandoned(self) -> Iterator[str]:
        """Take over workers of this queue whose lease has run out, one by one; yields their names, for `recover`.

        A name must be noted before the next one is asked for: nobody else can claim it any more.

        Redis: SMEMBERS of the queue's workers, an EXISTS each, and a script for each that is lost. Raises redis errors.
        """
        members: Any = self._redis.smembers(keys.rq_queue_workers(self._queue))
        prefix = keys.rq_worker("")
        for key in members:
            name = key.decode("utf-8", "replace").removeprefix(prefix)
            is_ours = name.startswith(keys.WORKER_NAME_PREFIX)
            if is_ours and not self._redis.exists(keys.worker_lease(name)) and claim(self._redis, name):
                yield name

    def is_claimed(self, worker_name: str) -> bool:
        """Has a worker's lease been claimed, here or on another machine? Redis: GET. Raises redis errors."""
        return is_claimed(self._redis, worker_name)

    def recover(self, worker_name: str, suspect: Suspect | None) -> int:
        """Return everything that a dead worker had begun, and sign it off; returns the number of chunks.

        Redis: SMEMBERS of the worker's executions; per chunk one HGET and one transaction; GET, EXPIRE.

        Args:
            worker_name: nobody else may be recovering it.
            suspect: what ran in it when it died, None if that is not known.

        Raises:
            redis errors: call it again.
        """
        executions_key = keys.rq_worker_executions(worker_name)
        members: Any = self._redis.smembers(executions_key)
        executions = [key.decode("utf-8", "replace") for key in members]
        for execution in executions:
            try:
                self._recover_execution(execution, worker_name, suspect)
            except ValueError as exc:
                # Not an execution: somebody else wrote it.
                _log.warning("left out an entry of %s: %s", executions_key, exc)
        worker_key = keys.rq_worker(worker_name)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.srem(keys.RQ_WORKERS, worker_key)
            pipeline.srem(keys.rq_queue_workers(self._queue), worker_key)
            pipeline.delete(worker_key, executions_key, keys.worker_stats(worker_name))
            pipeline.execute()
        if self.is_claimed(worker_name):
            keep_claim(self._redis, worker_name)
        self._intermediate.sweep()
        return len(executions)

    def _recover_execution(self, execution: str, worker_name: str, suspect: Suspect | None) -> None:
        # One transaction: either the chunk is back and the execution gone, or nothing changed and we come again.
        with self._redis.pipeline(transaction=True) as pipeline:
            job_id = release_execution(pipeline, self._redis, self._queue, execution, worker_name)
            sealed: Any = self._redis.hget(keys.rq_job(job_id), "data")
            if sealed is not None:
                pipeline.delete(keys.rq_job(job_id))
                self._return_sealed(pipeline, job_id, sealed, suspect)
            pipeline.execute()

    def _return_sealed(self, pipeline: Pipeline, identifier: str, sealed: bytes, suspect: Suspect | None) -> None:
        try:
            chunk = decode_chunk(self._seal.unseal(sealed, keys.chunk_context(self._queue, identifier)))
        except (SealError, CodecError) as exc:
            _log.error("dropped chunk %s of a dead worker: %s", identifier, exc)
            return
        if is_done(self._redis, sealed):
            _log.error("dropped chunk %s of a dead worker: it was done with, somebody put it back", identifier)
            return
        note_done(pipeline, sealed)
        suspects, mates = _parted(chunk, suspect)
        if suspects:
            # Apart from the others: should they kill again, only they are charged for it.
            own = suspect_id(identifier, chunk.attempt)
            self._return_charged(pipeline, own, chunk, suspects, SUSPECT_CHARGE)
        self._return_charged(pipeline, identifier, chunk, mates, MATE_CHARGE)

    def _return_charged(
        self, pipeline: Pipeline, identifier: str, chunk: Chunk, invocations: list[Invocation], charge: int
    ) -> None:
        attempt = chunk.attempt + charge
        again = [i for i in invocations if i.is_idempotent and attempt <= MAX_ATTEMPT]
        lost = [i for i in invocations if not i.is_idempotent or attempt > MAX_ATTEMPT]
        self._answer_lost(pipeline, chunk.reply_key, lost)
        self._send_again(pipeline, identifier, chunk.reply_key, again, attempt)

    def _answer_lost(self, pipeline: Pipeline, reply_key: str, lost: Sequence[Invocation]) -> None:
        if not lost:
            return
        outcomes = [Outcome(i.id, OutcomeKind.WORKER_LOST, error=_why_lost(i)) for i in lost]
        pipeline.xadd(reply_key, {OUTCOMES_FIELD: self._seal.seal(encode_outcomes(outcomes), reply_key.encode())})
        pipeline.expire(reply_key, STREAM_EXPIRES_S)

    def _send_again(
        self, pipeline: Pipeline, identifier: str, reply_key: str, again: Sequence[Invocation], attempt: int
    ) -> None:
        if not again:
            return
        data = encode_chunk(reply_key, [encode_invocation(i, _NO_LIMIT) for i in again], attempt)
        sealed = self._seal.seal(data, keys.chunk_context(self._queue, identifier))
        enqueue(pipeline, self._redis, self._queue, identifier, sealed, at_front=True)


def _parted(chunk: Chunk, suspect: Suspect | None) -> tuple[list[Invocation], list[Invocation]]:
    """Part a chunk's invocations into those that ran when the worker died, and the others."""
    suspects: list[Invocation] = []
    mates: list[Invocation] = []
    for invocation in chunk.invocations:
        is_suspect = suspect is not None and (
            (suspect.invocation_id == invocation.id and suspect.reply_key == chunk.reply_key)
            or suspect.package_id == invocation.package_id
        )
        (suspects if is_suspect else mates).append(invocation)
    return suspects, mates


def _why_lost(invocation: Invocation) -> str:
    if invocation.is_idempotent:
        return "the worker died again and again while this invocation was in it"
    return "the worker was lost while this invocation was in it; it may have run, and it is not marked idempotent"
