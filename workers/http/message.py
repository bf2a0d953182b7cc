"""What goes into the HTTP client and what comes out of it.

The Lua objects build a `Request` and show a `Response` to the script; `client` turns the one into the other. Nothing
here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from workers.http.failure import HttpFailure
from workers.http.url import Url

#: Log level of what must not stay unseen, as the script log names it.
ERROR_LEVEL: Final = b"error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One submitted request."""

    #: As the script wrote it; not upper-cased.
    method: bytes
    url: Url
    #: (name, value) in the script's order, as they go onto the wire.
    headers: tuple[tuple[bytes, bytes], ...] = ()
    #: Lower-case names of implicit headers that are not sent, because the script once set its own.
    disabled: frozenset[bytes] = frozenset()
    #: None: there is none. Empty: there is one, of no bytes.
    payload: bytes | None = None
    #: Wait for the server's `100 Continue` before the payload is sent.
    is_sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the events `http_request_*` carry."""

    #: Tries, the first one included; 0: nothing was sent.
    attempts: int = 0
    redirects: int = 0
    net_in_bytes: int = 0
    net_out_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The end of a request: what a server said, or one of the internal statuses of `failure`."""

    status: int
    reason: bytes
    #: (name, value) as they arrived, blanks around the values taken away.
    headers: tuple[tuple[bytes, bytes], ...] = ()
    payload: bytes = b""
    #: (level, text) to be logged on the request's event.
    log: tuple[tuple[bytes, bytes], ...] = ()
    stats: Stats = Stats()
    #: URL that was asked last: another one than the request's after a redirect.
    url: Url
    version: tuple[int, int] = (1, 1)
    #: Is the payload all that the server announced?
    is_complete: bool = True
    #: What an internal status is made of; for those who have words of their own for it.
    failure: HttpFailure | None = field(default=None, repr=False, compare=False)
