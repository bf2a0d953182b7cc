"""Turns a Redis that answers, but with something that makes no sense, into a failure of the moment with a sentence.

`status` and `backend` put it around what talks to Redis; `protocol.connection.translated` has dealt with a Redis that
is away. Somebody else's keys under RQ's names, or a server that is no Redis at all: this side can only say so.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.connection import REDIS_ERRORS, describe
from dispatcher.protocol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dispatcher.protocol.settings import RedisSettings

#: Longest piece of Redis's own words that is shown, in characters.
_MAX_SHOWN: Final = 200


@contextmanager
def redis_answers(settings: RedisSettings) -> Iterator[None]:
    """Wait for errors of Redis in the body.

    Raises:
        UnavailableError: Redis answered with an error, or does not speak its language.
    """
    try:
        yield
    except REDIS_ERRORS as exc:
        # Files and standard output have errors of the system too.
        if isinstance(exc, OSError):
            raise
        shown = " ".join(str(exc).split())[:_MAX_SHOWN]
        raise UnavailableError(
            f"the server at {describe(settings.url)} does not answer as expected ({type(exc).__name__}: {shown})"
        ) from exc
