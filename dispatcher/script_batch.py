"""Runs one of our scripts inside Redis for many askers: those of one turn of the event loop in one round trip.

Login limits and single flight use it, which both may go without an answer: whoever cannot be answered soon is told so,
and nobody waits for Redis to come back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.protocol.connection import REDIS_ERRORS, REDIS_NO_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

_log: Final = logging.getLogger("lualoft.auth")

#: Seconds for which anybody waits for an answer.
ANSWER_LIMIT_S: Final = 0.5

#: Seconds between two log lines about trouble.
LOG_EVERY_S: Final = 10.0

#: Askers that share one round trip at most.
MAX_BATCH: Final = 512


class _Question(NamedTuple):
    keys: tuple[str, ...]
    arguments: tuple[str | int | bytes, ...]
    conclude: Callable[[Any], None]


class ScriptBatch:
    """One script, on one connection of an event loop."""

    def __init__(self, redis: Redis, file_name: str, trouble: str) -> None:
        """Set up without connecting.

        Args:
            redis: a client that tries nothing again by itself.
            file_name: of the script, beside this module.
            trouble: what is logged when Redis does not answer; it must name nobody.
        """
        self._redis = redis
        self._script = resources.files("dispatcher").joinpath(file_name).read_bytes()
        # Redis's name for a script, no protection of anything.
        self._script_sha1 = hashlib.sha1(self._script, usedforsecurity=False).hexdigest()
        self._trouble = trouble
        self._waiting: list[_Question] = []
        self._flushing: asyncio.Task[None] | None = None
        self._logged_s = -LOG_EVERY_S

    def ask(
        self, keys: tuple[str, ...], arguments: tuple[str | int | bytes, ...], conclude: Callable[[Any], None]
    ) -> None:
        """Run the script soon.

        Args:
            keys, arguments: the script's.
            conclude: is given its answer; None when there is none. Must not raise.

        Redis: EVALSHA, several in one round trip; SCRIPT LOAD when Redis does not know the script.
        """
        self._waiting.append(_Question(keys, arguments, conclude))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())

    async def close(self) -> None:
        """Ask nothing more; whoever still waits has no answer."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            question.conclude(None)

    async def drain(self) -> None:
        """Return when everybody who has asked so far is answered, or told that there is no answer."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                answers: list[Any] = [None] * len(batch)
                try:
                    async with asyncio.timeout(ANSWER_LIMIT_S):
                        answers = [self._checked(answer) for answer in await self._run(batch)]
                except (*REDIS_ERRORS, TimeoutError) as exc:
                    self._note_trouble(exc)
                    # Nor those that came meanwhile: one after the other, they would wait many times as long.
                    batch, self._waiting = batch + self._waiting, []
                    answers = [None] * len(batch)
                finally:
                    for question, answer in zip(batch, answers, strict=True):
                        question.conclude(answer)
        finally:
            self._flushing = None

    async def _run(self, batch: list[_Question]) -> list[Any]:
        answers = await self._run_once(batch)
        # The first time, or Redis restarted. Only those that it did not run: the others must not run twice.
        unknown = [number for number, answer in enumerate(answers) if isinstance(answer, REDIS_NO_SCRIPT)]
        if unknown:
            await self._redis.script_load(self._script)
            again = await self._run_once([batch[number] for number in unknown])
            for number, answer in zip(unknown, again, strict=True):
                answers[number] = answer
        return answers

    async def _run_once(self, batch: list[_Question]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments, _ in batch:
                pipeline.evalsha(self._script_sha1, len(keys), *keys, *arguments)
            return list(await pipeline.execute(raise_on_error=False))

    def _checked(self, answer: Any) -> Any:  # noqa: ANN401 - whatever the script returns
        if isinstance(answer, Exception):
            self._note_trouble(answer)
            return None
        return answer

    def _note_trouble(self, exc: BaseException) -> None:
        now_s = time.monotonic()
        if now_s - self._logged_s >= LOG_EVERY_S:
            self._logged_s = now_s
            # Not its text: redis-py puts the command in it.
            _log.warning("%s: %s", self._trouble, type(exc).__name__)
