"""Outcomes on their way back: sealed, appended to reply streams, then the finished chunks closed with RQ.

A thread of its own between the engine and Redis, so that neither waits for the other. It writes outcomes before it
finishes their chunk: a worker that dies in between has the chunk run again, never an answer lost.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from functools import cache, partial
from importlib import resources
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.protocol.codec import encode_outcomes
from dispatcher.protocol.connection import REDIS_ERRORS, REDIS_FULL, REDIS_GONE
from dispatcher.protocol.reply import OUTCOMES_FIELD, STREAM_EXPIRES_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from dispatcher.protocol.outcome import Outcome
    from dispatcher.protocol.sealing import Seal
    from workers.work import Answer, InFlight, TakenChunk

_log: Final = logging.getLogger("lualoft.outbox")

#: Outcomes in one stream entry at most, so that an entry stays far below the chunk cap.
MAX_ENTRY_OUTCOMES: Final = 512

#: Bytes of results in one stream entry at most.
MAX_ENTRY_BYTES: Final = 4 * 1024 * 1024

#: Pauses between attempts to write while Redis is away.
FIRST_BACKOFF_S: Final = 0.05

#: First word of what deliver.lua answers when the worker's lease was claimed.
_FENCED: Final = "FENCED"


class OutboxDuties(NamedTuple):
    """What the outbox does for its worker beside writing."""

    #: Closes a chunk's RQ job once all its outcomes are written; may raise redis errors.
    finish: Callable[[TakenChunk], None]
    #: The key that says whether the worker may still write.
    lease_key: str
    #: Ends the process: its calls are another worker's now.
    end_fenced: Callable[[], None]


class Outbox:
    """Delivers answers; `put` is called by the engine, `run` is the thread."""

    def __init__(
        self,
        redis: Redis,
        seal: Seal,
        in_flight: InFlight,
        duties: OutboxDuties,
        max_backoff_s: float,
    ) -> None:
        """Set up without running.

        Args:
            redis: any client of this worker.
            seal: closes the outcomes.
            in_flight: counts down as answers are delivered.
            duties: what else is to be done.
            max_backoff_s: longest pause between two attempts.
        """
        self._redis = redis
        self._seal = seal
        self._in_flight = in_flight
        self._duties = duties
        self._max_backoff_s = max_backoff_s
        self._inbox: SimpleQueue[list[Answer] | None] = SimpleQueue()

    def put(self, answers: list[Answer]) -> None:
        """Take answers to deliver."""
        self._inbox.put(answers)

    def stop(self) -> None:
        """Let `run` return when everything put before is delivered."""
        self._inbox.put(None)

    def run(self) -> None:
        """Deliver until `stop`."""
        is_stopping = False
        while not is_stopping:
            answers, is_stopping = self._gather()
            if not answers:
                continue
            self._persist(partial(self._write, answers))
            done = self._count_down(answers)
            self._in_flight.remove(len(answers))
            for chunk in done:
                self._persist(partial(self._duties.finish, chunk))

    def _gather(self) -> tuple[list[Answer], bool]:
        """Wait for answers and take all that are there."""
        item = self._inbox.get()
        answers: list[Answer] = []
        while item is not None:
            answers.extend(item)
            try:
                item = self._inbox.get_nowait()
            except Empty:
                return answers, False
        return answers, True

    def _write(self, answers: list[Answer]) -> None:
        """Append the answers to their streams.

        Redis: one pipeline with a script per stream (GET of the lease, XADD per entry, EXPIRE). A stream that Redis
        refuses (somebody put another type under its key) loses its entries; the other streams do not wait for it.

        Raises:
            redis errors while Redis is away or full.
        """
        by_stream: defaultdict[str, list[Outcome]] = defaultdict(list)
        for answer in answers:
            by_stream[answer.chunk.reply_key].append(answer.outcome)
        pipeline = self._redis.pipeline(transaction=False)
        for key, outcomes in by_stream.items():
            sealed = [self._seal.seal(data, key.encode()) for data in _entries(outcomes)]
            pipeline.eval(_deliver_script(), 2, self._duties.lease_key, key, OUTCOMES_FIELD, STREAM_EXPIRES_S, *sealed)
        results: list[Any] = pipeline.execute(raise_on_error=False)
        for result in results:
            if isinstance(result, REDIS_FULL) or (isinstance(result, Exception) and isinstance(result, REDIS_GONE)):
                raise result
            if isinstance(result, Exception) and str(result).startswith(_FENCED):
                self._duties.end_fenced()
            if isinstance(result, Exception):
                # Not its text: redis-py puts the command in it.
                _log.error("a reply stream refuses outcomes, they are dropped: %s", type(result).__name__)

    def _count_down(self, answers: list[Answer]) -> list[TakenChunk]:
        done = []
        for answer in answers:
            chunk = answer.chunk
            chunk.note_answered(answer.outcome.invocation_id)
            if chunk.left == 0:
                done.append(chunk)
        return done

    def _persist(self, work: Callable[[], None]) -> None:
        """Do it until Redis takes it: an outcome that was reached is not thrown away."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                work()
            except REDIS_ERRORS as exc:
                if not isinstance(exc, (*REDIS_GONE, REDIS_FULL)):
                    # Redis works and refuses this: again would be refused again.
                    _log.error("Redis refuses to finish a chunk: %s", type(exc).__name__)
                    return
                _log.warning("cannot write outcomes, trying again in %.2f s: %s", backoff_s, type(exc).__name__)
                time.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, self._max_backoff_s)
            else:
                return


@cache
def _deliver_script() -> str:
    return resources.files("workers").joinpath("deliver.lua").read_text(encoding="ascii")


def _entries(outcomes: list[Outcome]) -> list[bytes]:
    """Encode outcomes as stream entries of bounded size."""
    entries: list[bytes] = []
    for start in range(0, len(outcomes), MAX_ENTRY_OUTCOMES):
        batch = outcomes[start : start + MAX_ENTRY_OUTCOMES]
        data = encode_outcomes(batch)
        if len(data) > MAX_ENTRY_BYTES and len(batch) > 1:
            entries.extend(encode_outcomes([outcome]) for outcome in batch)
        else:
            entries.append(data)
    return entries
