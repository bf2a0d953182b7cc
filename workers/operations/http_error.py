"""Failures of an HTTP exchange in LuaSocket's words.

`http_exchange` calls it with a response of the HTTP client that no server gave. It looks at the system's errors below
the client's own, whose texts are Dovecot's.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Final

from workers.http.failure import CONNECT_FAILED, HOST_LOOKUP_FAILED, TIMED_OUT, PayloadTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.http.message import Response

#: LuaSocket's words where they are not the system's.
_ERRNO_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNABORTED: "closed",
    errno.ECONNRESET: "closed",
    errno.EPIPE: "closed",
    errno.ETIMEDOUT: "timeout",
    errno.EACCES: "permission denied",
}
#: For those without an error of the system below them.
_STATUS_WORDS: Final = {
    HOST_LOOKUP_FAILED: "host or service not provided, or not known",
    # The operator's rules, or a proxy's.
    CONNECT_FAILED: "permission denied",
}
_RESOLVER_WORDS: Final = {
    socket.EAI_NONAME: "host or service not provided, or not known",
    socket.EAI_AGAIN: "temporary failure in name resolution",
    socket.EAI_FAIL: "non-recoverable failure in name resolution",
}


def response_words(response: Response) -> str:
    """Say in LuaSocket's words why a response is none."""
    failure = response.failure
    if failure is None:
        # The body broke off.
        return "closed"
    if isinstance(failure, PayloadTooLargeError):
        return f"response body is larger than {failure.limit_bytes} bytes"
    if response.status == TIMED_OUT:
        return "timeout"
    for cause in _causes(failure):
        words = _words(cause)
        if words:
            return words
    return _STATUS_WORDS.get(response.status, "closed")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what lies below it, nearest first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [exc]
    while waiting:
        current = waiting.pop(0)
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting.extend(below for below in (current.__cause__, current.__context__) if below)


def _words(cause: BaseException) -> str:
    words = ""
    if isinstance(cause, ssl.SSLError):
        words = (getattr(cause, "reason", None) or "tls error").replace("_", " ").lower()
    elif isinstance(cause, TimeoutError):
        words = "timeout"
    elif isinstance(cause, socket.gaierror):
        words = _RESOLVER_WORDS.get(cause.errno or 0, "host not found")
    elif isinstance(cause, OSError) and cause.errno:
        words = _ERRNO_WORDS.get(cause.errno, os.strerror(cause.errno).lower())
    return words
