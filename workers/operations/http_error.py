"""Failures of an HTTP exchange in LuaSocket's words.

`http_exchange` calls it with whatever requests raised. It looks at the system's errors below the wrappers of requests
and urllib3, so it needs neither of them.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.errors import LualoftError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: LuaSocket's words where they are not the system's.
_ERRNO_WORDS: Final = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNABORTED: "closed",
    errno.ECONNRESET: "closed",
    errno.EPIPE: "closed",
    errno.ETIMEDOUT: "timeout",
    errno.EACCES: "permission denied",
}
_RESOLVER_WORDS: Final = {
    socket.EAI_NONAME: "host or service not provided, or not known",
    socket.EAI_AGAIN: "temporary failure in name resolution",
    socket.EAI_FAIL: "non-recoverable failure in name resolution",
}


class BodyTooLargeError(LualoftError):
    """An answer larger than the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"response body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


def error_words(exc: BaseException) -> str:
    """Say in LuaSocket's words what an exception of requests means."""
    for cause in _causes(exc):
        words = _words(cause)
        if words:
            return words
    # requests' complaints about what it was given are ValueErrors; a connection that broke off has many shapes.
    return "invalid url or header" if isinstance(exc, ValueError) else "closed"


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what lies below it, nearest first."""
    seen: set[int] = set()
    waiting: list[BaseException] = [exc]
    while waiting:
        current = waiting.pop(0)
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            below = (getattr(current, "reason", None), current.__cause__, current.__context__, *current.args)
            waiting.extend(item for item in below if isinstance(item, BaseException))


def _words(cause: BaseException) -> str:
    words = ""
    if isinstance(cause, BodyTooLargeError):
        words = str(cause)
    elif isinstance(cause, ssl.SSLError):
        words = (cause.reason or "tls error").replace("_", " ").lower()
    elif isinstance(cause, TimeoutError):
        words = "timeout"
    elif isinstance(cause, socket.gaierror):
        words = _RESOLVER_WORDS.get(cause.errno or 0, "host not found")
    elif isinstance(cause, HTTPException):
        words = "closed"
    elif isinstance(cause, OSError) and cause.errno:
        words = _ERRNO_WORDS.get(cause.errno, os.strerror(cause.errno).lower())
    return words
