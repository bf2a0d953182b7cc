"""Asks Sentinels where the primary of a service is, and keeps why they could not say.

`connection` makes the two classes and words their errors. redis-py's own forget what went wrong with each Sentinel, so
that a wrong certificate or password looked like a server that is away. Beside `connection` and `raw_connection` the
only importer of redis-py.
"""

from collections.abc import Sequence
from typing import Any, Final

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

from dispatcher.protocol.redis_tls import tls_problem

#: Redis refuses the user name, the password, or what is asked.
REFUSALS: Final = (
    redis.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.NoPermissionError,
)


#: What redis-py, and we, stumble over in an answer that is none of a Sentinel's.
_MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError, OverflowError)


class NoPrimaryError(redis.ConnectionError):
    """No Sentinel names the primary; its cause is what a Sentinel failed with, if none of them answered."""

    def __init__(self, service_name: str) -> None:
        """Name the service."""
        super().__init__(f"no Sentinel names a primary of {service_name!r}")


class AskedSentinel(Sentinel):
    """Sentinels that are asked one after the other, from a thread."""

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary.

        Raises:
            NoPrimaryError: none of the Sentinels names one.
        """
        failures: list[redis.RedisError] = []
        for sentinel in self.sentinels:
            try:
                place = _place(self, sentinel.sentinel_masters(), service_name)
            except redis.RedisError as exc:
                failures.append(exc)
                continue
            except _MALFORMED as exc:
                failures.append(_no_sentinel(exc))
                continue
            if place is not None:
                self.sentinels = _first(sentinel, self.sentinels)
                return place
        raise NoPrimaryError(service_name) from _cause(failures, len(self.sentinels))


class AsyncAskedSentinel(AsyncSentinel):
    """The same for an event loop."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the primary; raises as the other one does."""
        failures: list[redis.RedisError] = []
        for sentinel in self.sentinels:
            try:
                place = _place(self, await sentinel.sentinel_masters(), service_name)
            except redis.RedisError as exc:
                failures.append(exc)
                continue
            except _MALFORMED as exc:
                failures.append(_no_sentinel(exc))
                continue
            if place is not None:
                self.sentinels = _first(sentinel, self.sentinels)
                return place
        raise NoPrimaryError(service_name) from _cause(failures, len(self.sentinels))


def is_refusal(error: BaseException) -> bool:
    """Tell whether Redis or a Sentinel refused who asks; asynchronous clients wrap that into their ConnectionError."""
    return isinstance(error, REFUSALS) or isinstance(error.__cause__, REFUSALS)


def _place(sentinel: Any, primaries: Any, service_name: str) -> tuple[str, int] | None:  # noqa: ANN401 - redis-py's
    state = primaries.get(service_name)
    if not state or not sentinel.check_master_state(state, service_name):
        return None
    host, port = state["ip"], state["port"]
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError("the place of the primary is none")
    return host, port


def _no_sentinel(exc: Exception) -> redis.RedisError:
    error = redis.ResponseError("it does not answer as a Sentinel")
    error.__cause__ = exc
    return error


def _first(sentinel: Any, sentinels: Sequence[Any]) -> list[Any]:  # noqa: ANN401 - a client of either kind
    # One that answered is asked first next time. A new list: another thread may be walking through the old one.
    return [sentinel, *(other for other in sentinels if other is not sentinel)]


def _cause(failures: list[redis.RedisError], sentinel_count: int) -> redis.RedisError | None:
    # One that answered and knew no primary is the better reason.
    if len(failures) < sentinel_count:
        return None
    # What may pass by itself comes first: one Sentinel with a bad certificate is no reason to give up on the others.
    return min(failures, key=_is_lasting)


def _is_lasting(error: BaseException) -> bool:
    return is_refusal(error) or isinstance(error, redis.ResponseError) or bool(tls_problem(error))
