"""Makes connections to Redis; with its two neighbours the only importer of redis-py.

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
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from dispatcher.protocol.errors import KeyMissingError, LualoftError, SettingsError, UnavailableError
from dispatcher.protocol.redis_address import RedisAddress, parse_redis_url
from dispatcher.protocol.redis_reply import use_parser
from dispatcher.protocol.redis_sentinel import AskedSentinel, AsyncAskedSentinel, NoPrimaryError, is_refusal
from dispatcher.protocol.redis_tls import SSL_ERRORS, TLS_ENDED, TLS_SILENT, check_tls_files, tls_problem
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
    if address.is_sentinel:
        asking = _sentinel_options(settings, address, Retry(_backoff(settings), 0))
        sentinel = AskedSentinel(list(address.hosts), sentinel_kwargs=asking)
        client: SyncRedis = sentinel.master_for(address.service, **_tls(address, is_tls=address.is_tls), **options)
    else:
        client = redis.Redis(**_place(address), **options)
    use_parser(client, is_async=False)
    return client


def connect_async(settings: RedisSettings, *, retry_count: int = DEFAULT_RETRY_COUNT) -> AsyncRedis:
    """Return a client for the running event loop; all else as `connect_sync`."""
    address = parse_redis_url(settings.url)
    check_tls_files(address.tls_files)
    options = _options(settings, address)
    options["retry"] = _AsyncConnectRetry(_backoff(settings), retry_count)
    if address.is_sentinel:
        asking = _sentinel_options(settings, address, AsyncRetry(_backoff(settings), 0))
        sentinel = AsyncAskedSentinel(list(address.hosts), sentinel_kwargs=asking)
        client: AsyncRedis = sentinel.master_for(address.service, **_tls(address, is_tls=address.is_tls), **options)
    else:
        client = redis.asyncio.Redis(**_place(address), **options)
    use_parser(client, is_async=True)
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
        error = _ours(settings, exc)
        if error is None:
            raise
        raise error from exc


def _ours(settings: RedisSettings, exc: Exception) -> LualoftError | None:
    """Return what is said of an error; None if Redis answered, and with something that its caller must judge."""
    shown = describe(settings.url)
    is_asking = isinstance(exc, NoPrimaryError)
    cause = exc.__cause__ if is_asking and exc.__cause__ else exc
    who = "a Sentinel of" if is_asking else "Redis at"
    if is_refusal(cause):
        return SettingsError("redis.url", f"{who} {shown} refuses the user name, the password or the permission")
    problem = tls_problem(cause)
    if problem:
        return SettingsError("redis.url", f"no TLS with {who} {shown}: {problem}")
    if is_asking and isinstance(cause, redis.ResponseError):
        return SettingsError("redis.url", f"{who} {shown} is none: it does not answer SENTINEL MASTERS as one")
    if not isinstance(cause, REDIS_GONE):
        return None
    address = parse_redis_url(settings.url)
    is_tls = address.has_sentinel_tls if is_asking else address.is_tls
    reason = (_tls_reason(cause) if is_tls else "") or _reason(cause)
    said = f"no Sentinel answers, {reason}" if is_asking and cause is not exc else reason
    return UnavailableError(f"Redis at {shown} is not available ({said})")


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
    if isinstance(exc, NoPrimaryError):
        return str(exc)
    # redis-py's message names host, port and sometimes the user; the system's word for it is enough.
    cause = exc.__context__ if isinstance(exc.__context__, OSError) else exc
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    # While it connects, the asynchronous client wraps the server's refusals.
    return str(exc.__cause__) if isinstance(exc.__cause__, redis.ResponseError) else type(exc).__name__


def _tls_reason(exc: BaseException) -> str:
    # The numbers of SSL errors are none of the system's, and a server that refuses a client often just hangs up.
    if isinstance(exc.__context__, (*SSL_ERRORS, ConnectionResetError, BrokenPipeError)):
        return TLS_ENDED
    return TLS_SILENT if isinstance(exc, redis.TimeoutError) and "connecting" in str(exc) else ""


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
    return {"host": host, "port": port, **_tls(address, is_tls=address.is_tls)}


def _tls(address: RedisAddress, *, is_tls: bool) -> dict[str, Any]:
    return {"ssl": True, **address.tls_files} if is_tls else {"ssl": False}


def _sentinel_options(settings: RedisSettings, address: RedisAddress, retry: Retry | AsyncRetry) -> dict[str, Any]:
    return {
        **_tls(address, is_tls=address.has_sentinel_tls),
        "username": address.sentinel_username or None,
        "password": address.sentinel_password.reveal() or None,
        "socket_timeout": settings.connect_timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        # Whoever asks the Sentinels goes through all of them, and is itself asked again.
        "retry": retry,
    }
