"""One connection to Redis for whoever does their own pipelining: commands go out as bytes, replies come back in order.

The dict store uses it: redis-py's clients cost tens of microseconds for each command, this one two. Connecting, TLS,
user name, password, database and Sentinel stay redis-py's, by the client of `connection`. Beside `connection` the only
importer of redis-py; its errors become ours here.
"""

import math
from typing import Any, Final, Self

import redis
import redis.asyncio

from dispatcher.protocol.connection import REDIS_ERRORS, connect_async, translated
from dispatcher.protocol.errors import LualoftError, UnavailableError
from dispatcher.protocol.settings import RedisSettings

#: What hiredis stumbles over: a map whose key is a list, an error that is no UTF-8.
_MALFORMED: Final = (TypeError, ValueError)


class ReplyError(LualoftError):
    """What Redis said in place of a result; the connection goes on."""

    def __init__(self, code: str, line: str) -> None:
        """Take the first word ("WRONGTYPE", "READONLY", …) and the whole line without its leading minus."""
        super().__init__(line)
        self.code = code
        self.line = line


class ConnectionLostError(LualoftError):
    """The connection broke; what was written and not answered may have been done or not."""


class RawConnection:
    """An open connection; one task may write while another reads."""

    def __init__(self, client: Any, connection: Any) -> None:  # noqa: ANN401 - redis-py's connection classes share no public type
        self._client = client
        self._connection = connection

    @classmethod
    async def open(cls, settings: RedisSettings, *, retry_count: int = 0) -> Self:
        """Connect, for the running event loop.

        **Redis**: HELLO or AUTH, SELECT; Sentinel is asked where the primary is.

        Args:
            settings: where Redis is and how long to wait.
            retry_count: further attempts if nobody listens there.

        Raises:
            SettingsError: the address, user name or password is wrong.
            UnavailableError: there is no Redis, or it does not work at the moment.
        """
        client = connect_async(settings, retry_count=retry_count)
        try:
            # A decorator hides its type.
            pool: Any = client.connection_pool
            with translated(settings):
                return cls(client, await pool.get_connection())
        except redis.RedisError as exc:
            await _close_client(client)
            raise UnavailableError(f"Redis refused the connection: {exc}") from exc
        except BaseException:
            await _close_client(client)
            raise

    async def write(self, commands: list[bytes]) -> None:
        """Send commands that are in wire format already.

        Raises:
            ConnectionLostError: it broke; some may have arrived.
        """
        try:
            await self._connection.send_packed_command(commands, check_health=False)
        except REDIS_ERRORS as exc:
            raise ConnectionLostError(_reason(exc)) from exc

    async def read(self) -> Any:  # noqa: ANN401 - a reply: bytes, int, None, or a list of them
        """Wait for the next reply, for ever if none comes.

        Raises:
            ReplyError: Redis answered with an error.
            ConnectionLostError: it broke.
        """
        try:
            # Not the connection's own: that of a Sentinel hangs up on READONLY and hides that nothing was written.
            return await redis.asyncio.Connection.read_response(self._connection, timeout=math.inf)
        except (redis.ResponseError, redis.exceptions.BusyLoadingError) as exc:
            raise _reply_error(exc) from exc
        except (*REDIS_ERRORS, *_MALFORMED) as exc:
            raise ConnectionLostError(_reason(exc)) from exc

    async def close(self) -> None:
        """Close it; a second time does nothing."""
        await self._connection.disconnect(nowait=True)
        await _close_client(self._client)


async def _close_client(client: Any) -> None:  # noqa: ANN401 - redis-py's client
    await client.aclose()
    # Those that were asked for the primary have connections of their own, which redis-py leaves open.
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        await sentinel.aclose()


def _reply_error(exc: redis.RedisError) -> ReplyError:
    # redis-py takes the first word off the line where it knows it.
    code = getattr(exc, "status_code", None)
    line = f"{code} {exc}" if code else str(exc)
    return ReplyError(line.partition(" ")[0], line)


def _reason(exc: BaseException) -> str:
    return type(exc).__name__
