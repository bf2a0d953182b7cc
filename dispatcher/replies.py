"""Reads a dispatcher's reply stream and hands on what the workers wrote.

One task per AsyncDispatcher. Every dispatcher object has its own stream, so two of them never see each other's
outcomes. What does not unseal is counted and dropped: without a key nobody can answer a call. Nor can they end a stream
for good with an entry whose id lies far ahead, behind which Redis takes no other: such a stream begins anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from dispatcher.protocol import keys
from dispatcher.protocol.codec import decode_outcomes
from dispatcher.protocol.connection import REDIS_ERRORS, is_wrong_type
from dispatcher.protocol.errors import CodecError, SealError
from dispatcher.protocol.reply import OUTCOMES_FIELD, REFUSAL_FIELD
from dispatcher.protocol.rq_job import MAX_NUMBER_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from dispatcher.protocol.outcome import Outcome
    from dispatcher.protocol.sealing import Seal

#: Milliseconds for which one read waits at most.
MAX_BLOCK_MS: Final = 2_000

#: Entries taken per read.
READ_COUNT: Final = 512

#: Seconds by which the clock of Redis, which numbers the entries, may be ahead of ours.
MAX_AHEAD_S: Final = 5.0

#: Entries after which the read ones are removed from the stream.
TRIM_EVERY: Final = 64


class ReplyReader:
    """Follows one reply stream."""

    def __init__(
        self,
        redis: Redis,
        dispatcher_id: str,
        seal: Seal,
        on_outcomes: Callable[[list[Outcome]], None],
        on_refusal: Callable[[int, str], None],
        *,
        block_ms: int = MAX_BLOCK_MS,
    ) -> None:
        """Set up without reading.

        Args:
            redis: a client whose read time-out is longer than `block_ms`.
            dispatcher_id: names the stream.
            seal: opens the entries.
            on_outcomes: is given the outcomes of each entry.
            on_refusal: is given (chunk number, reason) when a worker could not open a chunk.
            block_ms: how long one read waits.
        """
        self._redis = redis
        self._key = keys.reply_stream(dispatcher_id)
        self._context = keys.reply_context(dispatcher_id)
        self._seal = seal
        self._on_outcomes = on_outcomes
        self._on_refusal = on_refusal
        self._block_ms = block_ms
        self._last_id: bytes = b"0-0"
        self._read_since_trim = 0
        #: Is there an entry behind which none of a worker's would be found?
        self._is_spoiled = False
        #: Entries that did not unseal or decode.
        self.refused_count = 0

    def rewind(self) -> None:
        """Read the stream from its beginning again."""
        self._last_id = b"0-0"

    async def read_once(self) -> bool:
        """Wait for entries and hand them on; returns whether there were any.

        Redis: XREAD BLOCK, and every `TRIM_EVERY` entries an XTRIM. A stream that somebody spoiled is deleted.

        Raises:
            redis errors, to be handled by whoever owns the connection's back-off.
        """
        if self._is_spoiled:
            await self._begin_anew()
            return True
        try:
            answer: Any = await self._redis.xread({self._key: self._last_id}, count=READ_COUNT, block=self._block_ms)
        except REDIS_ERRORS as exc:
            if not is_wrong_type(exc):
                raise
            await self._redis.delete(self._key)
            return False
        if not answer:
            return False
        self._read_since_trim += self._take_all(answer)
        if self._read_since_trim >= TRIM_EVERY:
            self._read_since_trim = 0
            await self._redis.xtrim(self._key, minid=_after(self._last_id), approximate=False)
        # Let the callers that were just answered ask again before the next read: their calls then travel together.
        await asyncio.sleep(0)
        return True

    async def _begin_anew(self) -> None:
        """Take all that the stream holds and delete it, in one transaction, so that no outcome is lost.

        From its beginning: if it was deleted meanwhile, what workers have written since stands before what we have read
        last. Outcomes that were taken before are dropped by whoever is given them.
        """
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xread({self._key: b"0-0"})
            pipeline.delete(self._key)
            answer, _ = await pipeline.execute()
        if answer:
            self._take_all(answer)
        self._is_spoiled = False
        self.rewind()

    def _take_all(self, answer: Any) -> int:  # noqa: ANN401 - redis-py's answer
        """Take the entries of an answer; returns how many there are."""
        # RESP2 gives a list of pairs, RESP3 a mapping.
        entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
        latest_ms = (time.time() + MAX_AHEAD_S) * 1000
        for entry_id, fields in entries:
            self._last_id = entry_id
            if int(entry_id.partition(b"-")[0]) > latest_ms:
                self._is_spoiled = True
            self._take(fields)
        return len(entries)

    def _take(self, fields: dict[bytes, Any]) -> None:
        refusal = fields.get(REFUSAL_FIELD)
        if refusal is not None:
            number, _, reason = refusal.decode("utf-8", "replace").partition(" ")
            if number.isascii() and number.isdigit() and len(number) <= MAX_NUMBER_DIGITS:
                self._on_refusal(int(number), reason)
            return
        try:
            outcomes = decode_outcomes(self._seal.unseal(fields.get(OUTCOMES_FIELD, b""), self._context))
        except (SealError, CodecError):
            self.refused_count += 1
            return
        self._on_outcomes(outcomes)


def _after(entry_id: bytes) -> bytes:
    """Return the smallest id after this one: what XTRIM keeps from."""
    milliseconds, _, number = entry_id.partition(b"-")
    return b"%s-%d" % (milliseconds, int(number) + 1)
