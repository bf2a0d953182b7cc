"""Makes connections to Redis; the only importer of redis-py.

Dispatchers and workers call it with the `redis` section of the settings, and put `translated` around their commands, so
that redis-py's errors become ours in this one place. A connection is made on first use, with back-off between attempts.
Must never show a password.
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from dispatcher.protocol.errors import KeyMissingError, SettingsError, UnavailableError
from dispatcher.protocol.redis_address import RedisAddress, parse_redis_url
from dispatcher.protocol.redis_tls import SSL_ERRORS, TLS_ENDED, check_tls_files, tls_problem
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings, Settings

#: A client that blocks its thread; what `connect_sync` returns.
SyncRedis = redis.Redis
#: A client for an event loop; what `connect_async` returns.
AsyncRedis = redis.asyncio.Redis

#: Redis has no room: it refused, and nothing was written.
REDIS_FULL: Final = (redis.exceptions.OutOfMemoryError,)
#: Redis does not know a script by its hash.
REDIS_NO_SCRIPT: Final = (redis.exceptions.NoScriptError,)
#: Redis is away, restarting, failing over, or full: what was asked may have been done or not.
REDIS_GONE: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    *REDIS_FULL,
    OSError,
)
#: Everything that a command may raise: the above, and answers that refuse.
REDIS_ERRORS: Final = (redis.RedisError, OSError)
_REFUSALS: Final = (
    redis.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.NoPermissionError,
)

#: Attempts to connect after the first one.
DEFAULT_RETRY_COUNT: Final = 3
#: First pause between two attempts; doubles up to `max_backoff_s`.
_BACKOFF_BASE_S: Final = 0.05
#: Part of the read time-out that a blocking command may take; the rest is for the answer's way.
_BLOCK_SHARE: Final = 0.8

_Result = TypeVar("_Result")


class _ConnectRetry(Retry):
    """Tries again only what surely never reached Redis, so that no command runs twice."""

    def call_with_retry(
        self,
        do: Callable[[], _Result],
        fail: Callable[..., object],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> _Result:
        return super().call_with_retry(do, fail, is_retryable or _never_arrived, with_failure_count)


class _AsyncConnectRetry(AsyncRetry):
    """The same for an event loop."""

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[_Result]],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> _Result:
        return await super().call_with_retry(do, fail, is_retryable or _never_arrived, with_failure_count)


def _never_arrived(error: Exception) -> bool:
    # redis-py raises its ConnectionError while it handles the system's error, so that one is the context.
    return isinstance(error, redis.exceptions.BusyLoadingError) or isinstance(
        error.__context__, ConnectionRefusedError | FileNotFoundError
    )


def was_surely_not_done(error: Exception) -> bool:
    """Tell whether Redis cannot have done what was asked: it was never reached, or is a replica that refused."""
    return _never_arrived(error) or isinstance(
        error, redis.exceptions.ReadOnlyError | redis.exceptions.MaxConnectionsError
    )


def is_wrong_type(error: BaseException) -> bool:
    """Tell whether a command failed because somebody put another type under its key."""
    return isinstance(error, redis.ResponseError) and str(error).rpartition(" caused error: ")[2].startswith(
        "WRONGTYPE"
    )


def connect_sync(settings: RedisSettings, *, retry_count: int = DEFAULT_RETRY_COUNT) -> SyncRedis:
    """Return a blocking client that answers in bytes.

    **Redis**: none until the first command. While Redis refuses connections they are tried again with back-off; a
    command whose answer was lost is not sent again, as nobody knows whether it was done.

    Args:
        settings: where Redis is.
        retry_count: attempts to connect after the first one.

    Raises:
        SettingsError: the address is not one, or names files that TLS cannot use.
    """
    address = parse_redis_url(settings.url)
    check_tls_files(address.tls_files)
    options = _options(settings, address)
    options["retry"] = _ConnectRetry(_backoff(settings), retry_count)
    if address.scheme != "sentinel":
        return redis.Redis(**_place(address), **options)
    asking = _sentinel_options(settings, address, Retry(_backoff(settings), 0))
    sentinel = Sentinel(list(address.hosts), sentinel_kwargs=asking)
    client: SyncRedis = sentinel.master_for(address.service, **options)
    return client


def connect_async(settings: RedisSettings, *, retry_count: int = DEFAULT_RETRY_COUNT) -> AsyncRedis:
    """Return a client for the running event loop; all else as `connect_sync`."""
    address = parse_redis_url(settings.url)
    check_tls_files(address.tls_files)
    options = _options(settings, address)
    options["retry"] = _AsyncConnectRetry(_backoff(settings), retry_count)
    if address.scheme != "sentinel":
        return redis.asyncio.Redis(**_place(address), **options)
    asking = _sentinel_options(settings, address, AsyncRetry(_backoff(settings), 0))
    sentinel = AsyncSentinel(list(address.hosts), sentinel_kwargs=asking)
    client: AsyncRedis = sentinel.master_for(address.service, **options)
    return client


async def disconnect(client: AsyncRedis) -> None:
    """Close a client of `connect_async`, and what redis-py leaves open: its connections to the Sentinels."""
    pool = client.connection_pool
    await client.aclose()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


@contextmanager
def translated(settings: RedisSettings) -> Iterator[None]:
    """Turn redis-py's errors into ours around some commands; around `await` too.

    Raises:
        SettingsError: Redis refuses the user name, the password or the permission, or TLS fails for good.
        UnavailableError: Redis is not there, or does not work at the moment.
    """
    try:
        yield
    except REDIS_ERRORS as exc:
        # The asynchronous client wraps a refused password into its ConnectionError.
        if isinstance(exc, _REFUSALS) or isinstance(exc.__cause__, _REFUSALS):
            problem = f"Redis at {describe(settings.url)} refuses the user name, the password or the permission"
            raise SettingsError("redis.url", problem) from exc
        problem = tls_problem(exc)
        if problem:
            raise SettingsError("redis.url", f"no TLS with Redis at {describe(settings.url)}: {problem}") from exc
        if isinstance(exc, REDIS_GONE):
            reason = TLS_ENDED if _was_cut_in_tls(settings, exc) else _reason(exc)
            raise UnavailableError(f"Redis at {describe(settings.url)} is not available ({reason})") from exc
        raise


def describe(url: Secret | str) -> str:
    """Return a Redis address without its user name and passwords, fit for logs.

    Raises:
        SettingsError: it is not one.
    """
    return parse_redis_url(url if isinstance(url, Secret) else Secret(url)).describe()


def longest_block_ms(settings: RedisSettings) -> int:
    """Return for how long a command may block in Redis before the client gives up on it."""
    return int(settings.socket_timeout_s * _BLOCK_SHARE * 1000)


def require_key(settings: Settings) -> None:
    """Refuse a configured Redis without a key; the embedded server gets a fresh key of its own.

    Raises:
        KeyMissingError: a Redis is configured and no key.
    """
    if settings.redis.url and not settings.key:
        raise KeyMissingError(describe(settings.redis.url))


def _reason(exc: BaseException) -> str:
    # redis-py's message names host, port and sometimes the user; the system's word for it is enough.
    cause = exc.__context__ if isinstance(exc.__context__, OSError) else exc
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return type(exc).__name__


def _was_cut_in_tls(settings: RedisSettings, exc: BaseException) -> bool:
    # The numbers of SSL errors are none of the system's, and a server that refuses a client often just hangs up.
    is_tls = parse_redis_url(settings.url).scheme == "rediss"
    return is_tls and isinstance(exc.__context__, (*SSL_ERRORS, ConnectionResetError, BrokenPipeError))


def _backoff(settings: RedisSettings) -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(cap=settings.max_backoff_s, base=min(_BACKOFF_BASE_S, settings.max_backoff_s))


def _options(settings: RedisSettings, address: RedisAddress) -> dict[str, Any]:
    return {
        "db": address.db,
        "username": address.username or None,
        "password": address.password.reveal() or None,
        "socket_timeout": settings.socket_timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        "decode_responses": False,
    }


def _place(address: RedisAddress) -> dict[str, Any]:
    if address.scheme == "unix":
        return {"unix_socket_path": address.path}
    ((host, port),) = address.hosts
    return {"host": host, "port": port, "ssl": address.scheme == "rediss", **address.tls_files}


def _sentinel_options(settings: RedisSettings, address: RedisAddress, retry: Retry | AsyncRetry) -> dict[str, Any]:
    return {
        "password": address.sentinel_password.reveal() or None,
        "socket_timeout": settings.connect_timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        # Whoever asks the Sentinels goes through all of them, and is itself asked again.
        "retry": retry,
    }
