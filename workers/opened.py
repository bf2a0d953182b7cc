"""Which chunks were opened already: what makes putting a chunk back on the queue useless.

`rq_worker` asks it as it begins a job, `recovery` as it gives one back. Every sealed message has a number of its own
(`sealing.message_number`), so two bits in Redis per chunk, kept until its last deadline, tell all workers: opened, and
done with. Whoever can delete keys can delete these; so each worker also remembers what itself has opened. A chunk that
is given back is sealed anew, under a new number, and the old one is done with.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from enum import IntEnum
from importlib import resources
from typing import TYPE_CHECKING, Final

from dispatcher.protocol import keys
from dispatcher.protocol.sealing import message_number

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from dispatcher.protocol.invocation import Chunk

#: Chunks in one bitmap: 8 KiB of Redis at most.
CHUNKS_PER_KEY: Final = 32_768

#: Bits per chunk: opened, done with.
_BITS: Final = 2

#: Chunks that a worker itself remembers.
MAX_REMEMBERED: Final = 65_536

#: Seconds beyond the last deadline for which a chunk is remembered: clocks differ.
MARGIN_S: Final = 60

#: The longest that anything is remembered: a day, the longest deadline, and the margin.
MAX_KEPT_S: Final = 86_400 + MARGIN_S


class Begin(IntEnum):
    """What begin.lua answers."""

    NOT_OURS = 0
    OURS = 1
    OPENED_BEFORE = 2


class OpenedChunks:
    """Takes jobs over from the intermediate list of one queue, each chunk once."""

    def __init__(self, redis: Redis, queue: str) -> None:
        self._intermediate_key = keys.rq_intermediate(queue)
        self._script = redis.register_script(resources.files("workers").joinpath("begin.lua").read_bytes())
        self._remembered: OrderedDict[tuple[bytes, int], None] = OrderedDict()

    def begin(self, job_id: str, sealed: bytes, chunk: Chunk) -> Begin:
        """Take a job over if it is still in the list and its chunk was not opened before.

        Redis: one script, atomic.
        """
        identity = message_number(sealed)
        key, bit = _place(sealed)
        arguments: list[str | int] = [job_id, bit, _needed_s(chunk)]
        begun = Begin(int(self._script(keys=[self._intermediate_key, key], args=arguments)))
        if begun is not Begin.OURS:
            return begun
        if identity in self._remembered:
            return Begin.OPENED_BEFORE
        self._remembered[identity] = None
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return begun


def note_done(pipeline: Pipeline, sealed: bytes) -> None:
    """Put into `pipeline` that a chunk is done with: no recovery gives it back any more. Redis: SETBIT, EXPIRE."""
    key, bit = _place(sealed)
    pipeline.setbit(key, bit + 1, 1)
    # If it was done after its last deadline, the key is a new one.
    pipeline.expire(key, MARGIN_S, nx=True)


def is_done(redis: Redis, sealed: bytes) -> bool:
    """Tell whether a chunk is done with: whoever wants it given back has put it back. Redis: GETBIT."""
    key, bit = _place(sealed)
    return bool(redis.getbit(key, bit + 1))


def _place(sealed: bytes) -> tuple[str, int]:
    session, number = message_number(sealed)
    block, place = divmod(number, CHUNKS_PER_KEY)
    return keys.opened_chunks(session.hex(), block), place * _BITS


def _needed_s(chunk: Chunk) -> int:
    """Return for how long somebody could put the chunk back and have something of it run."""
    last_unix_s = max((invocation.deadline_unix_s for invocation in chunk.invocations), default=0.0)
    # Written so that a deadline that is no number counts as the longest.
    left_s = last_unix_s - time.time() + MARGIN_S
    return int(max(MARGIN_S, left_s)) if left_s < MAX_KEPT_S else MAX_KEPT_S
