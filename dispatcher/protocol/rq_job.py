"""A chunk as an RQ job: the only shape in which work lies on an RQ queue.

The dispatcher writes it, workers read it. Of the stored hash a reader believes the sealed bytes alone: function names,
callbacks, webhooks, retries, repeats, dependencies and meta are ignored, nothing is unpickled and nothing decompressed,
because whoever can write to Redis can write those fields.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.utils import now, utcformat

from dispatcher.protocol import keys
from dispatcher.protocol.errors import ArgumentError

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

#: The function that RQ's tools show. No worker of ours looks it up; a plain `rq worker` finds no such thing to run.
FUNCTION_PATH: Final = "workers.rq_worker.run_chunk"

#: What RQ's tools show instead of the call.
DESCRIPTION: Final = "lualoft chunk"

#: Seconds without a heartbeat after which RQ's own maintenance counts a chunk as abandoned.
ABANDONED_AFTER_S: Final = 120

#: Digits of a chunk's number at most; anybody may write a job id, and Python refuses to read very long numbers.
MAX_NUMBER_DIGITS: Final = 18

_QUEUE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")

#: What may be a dispatcher's id: it becomes part of a key to which a refusal is written.
_DISPATCHER_ID: Final = re.compile(r"[A-Za-z0-9]{1,64}")

#: Between the dispatcher's id and the chunk's number in a job id.
_ID_SEPARATOR: Final = "-"

#: Between a job id and the attempt after which a part of its chunk went on as a chunk of its own.
_SUSPECT_SEPARATOR: Final = "_"


class NoSerializer:
    """Stands where RQ wants a serializer, and refuses: a chunk's bytes go through the seal and the codec only."""

    @staticmethod
    def dumps(_value: object, /) -> bytes:
        """Refuse."""
        message = "chunks are sealed, not serialized"
        raise TypeError(message)

    @staticmethod
    def loads(_data: bytes, /) -> Any:  # noqa: ANN401 - RQ's protocol
        """Refuse."""
        message = "chunks are unsealed, not deserialized"
        raise TypeError(message)


class ChunkJob(Job):
    """An RQ job whose data is one sealed chunk."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: object = None) -> None:  # noqa: A002, ARG002 - RQ's signature
        super().__init__(id, connection=connection, serializer=NoSerializer)
        self._func_name = FUNCTION_PATH
        self._args, self._kwargs, self._instance = (), {}, None
        self.sealed = b""
        self.timeout = ABANDONED_AFTER_S
        self.result_ttl = 0

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        """Take the sealed bytes and the two dates that RQ's bookkeeping needs from the stored hash."""
        sealed = raw_data.get(b"data")
        if sealed is None:
            message = f"job {self.id} has no data"
            raise NoSuchJobError(message)
        self.sealed = sealed
        self.description = DESCRIPTION
        self.created_at = self.enqueued_at = now()

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - RQ's signature
        """Return the hash that `save` writes: what RQ's tools list, and the sealed bytes."""
        date = utcformat(self.enqueued_at or now())
        return {
            "data": self.sealed,
            "created_at": date,
            "enqueued_at": date,
            "origin": self.origin,
            "description": DESCRIPTION,
            "status": JobStatus.QUEUED,
            "timeout": ABANDONED_AFTER_S,
            "result_ttl": 0,
        }


def check_queue_name(queue: object) -> None:
    """Refuse what the settings would refuse as a queue: it becomes part of Redis keys.

    Raises:
        ArgumentError: not 1 to 128 letters, digits, `_`, `-` and `.`, beginning with a letter or digit.
    """
    if not isinstance(queue, str) or not _QUEUE_NAME.fullmatch(queue):
        allowed = "1 to 128 letters, digits, '_', '-' and '.', beginning with a letter or digit"
        raise ArgumentError(f"queue must be {allowed}, not {str(queue)[:80]!a}")


def job_id(dispatcher_id: str, chunk_number: int) -> str:
    """Name the RQ job of a dispatcher's chunk; the name says whom to tell when the chunk cannot be opened."""
    return f"{dispatcher_id}{_ID_SEPARATOR}{chunk_number}"


def suspect_id(identifier: str, attempt: int) -> str:
    """Name the job of the part of a chunk that ran when its worker died."""
    return f"{identifier}{_SUSPECT_SEPARATOR}{attempt}"


def parse_job_id(text: str) -> tuple[str, int] | None:
    """Return (dispatcher id, chunk number) of a chunk's job id, None for anybody else's."""
    dispatcher_id, separator, number = text.rpartition(_ID_SEPARATOR)
    number = number.partition(_SUSPECT_SEPARATOR)[0]
    if not separator or not number.isascii() or not number.isdigit() or len(number) > MAX_NUMBER_DIGITS:
        return None
    return (dispatcher_id, int(number)) if _DISPATCHER_ID.fullmatch(dispatcher_id) else None


def enqueue(
    pipeline: Pipeline, connection: Redis, queue: str, identifier: str, sealed: bytes, *, at_front: bool = False
) -> None:
    """Put the commands that enqueue one chunk into `pipeline`.

    Redis: SADD, HSET, RPUSH (or LPUSH); the caller executes them as one transaction.

    Args:
        pipeline: of redis-py, blocking or asyncio: both only collect the commands here.
        connection: any client; RQ wants to hold one, nothing is sent over it.
    """
    job = ChunkJob(identifier, connection=connection)
    job.origin, job.sealed, job.enqueued_at = queue, sealed, now()
    pipeline.sadd(keys.RQ_QUEUES, keys.rq_queue(queue))
    job.save(pipeline=pipeline)
    push = pipeline.lpush if at_front else pipeline.rpush
    push(keys.rq_queue(queue), job.id)
