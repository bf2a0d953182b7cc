"""Reads what Redis says, without what it repeats: an error about a command it does not know quotes the arguments.

`connection` puts these parsers into every client. A server without HELLO would otherwise have its user's password in
logs, one without EVALSHA the values of a dict. Beside `connection` one of the importers of redis-py.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import redis
import redis.asyncio.connection
import redis.connection

#: Redis since 4, Valkey: unknown command 'HELLO', with args beginning with: 'AUTH' 'joe' 'secret'
_ARGUMENTS: Final = re.compile(r"with args beginning with:.*", re.DOTALL | re.IGNORECASE)


def without_arguments(line: str) -> str:
    """Return an error reply without the arguments of the command that it is about."""
    head, *found = _ARGUMENTS.split(line, maxsplit=1)
    return head.rstrip(", ") if found else line


class Parser(redis.connection.DefaultParser):  # type: ignore[misc,valid-type]  # redis-py chooses it at run time
    """For clients that block."""

    @classmethod
    def parse_error(cls, response: str) -> redis.RedisError:
        """Make an exception of an error reply."""
        return _error(super().parse_error, without_arguments(response))


class AsyncParser(redis.asyncio.connection.DefaultParser):  # type: ignore[misc,valid-type]  # as above
    """For those of an event loop."""

    @classmethod
    def parse_error(cls, response: str) -> redis.RedisError:
        """Make an exception of an error reply."""
        return _error(super().parse_error, without_arguments(response))


def _error(parse: Callable[[str], redis.RedisError], line: str) -> redis.RedisError:
    try:
        return parse(line)
    except ValueError:
        # It takes some apart, and stumbles over a MOVED that leads nowhere.
        return redis.ResponseError(line)


def use_parser(client: Any, *, is_async: bool) -> None:  # noqa: ANN401 - a client of redis-py, of either kind
    """Have a client that has not connected yet, and the Sentinels that it asks, read by our parser."""
    pool = client.connection_pool
    pool.connection_kwargs["parser_class"] = AsyncParser if is_async else Parser
    manager = getattr(pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        use_parser(sentinel, is_async=is_async)
