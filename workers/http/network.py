"""What the HTTP client needs of the world around it: names, egress rules, and word that a call was cancelled.

The worker hands these in; the defaults here are the system's resolver and no rules. Nothing here knows HTTP or Lua.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dispatcher.protocol.errors import LualoftError


class HostLookupError(LualoftError):
    """A name that has no address, or nobody to ask; the text says which."""


class EgressError(LualoftError):
    """A server that the operator's rules keep scripts away from."""


def system_resolve(host: str, timeout_s: float) -> list[str]:  # noqa: ARG001 - the system's resolver has its own limit
    """Look a name up the way every program does; addresses in the order to try them.

    Raises:
        HostLookupError: with the system's text.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as exc:
        raise HostLookupError(exc.strerror if isinstance(exc, socket.gaierror) else "Invalid name") from exc
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def allow_host(_host: str, _port: int) -> None:
    """Let scripts ask for any host."""


def allow_address(_address: str, _port: int, _host: str) -> None:
    """Let scripts reach any address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Names and rules; every function may be called from any thread."""

    #: (host, time limit in seconds) -> addresses; raises LualoftError whose text ends up in status 9002.
    resolve: Callable[[str, float], list[str]] = system_resolve
    #: (host as the URL has it, port); raises LualoftError to refuse it, before it is resolved.
    check_host: Callable[[str, int], None] = allow_host
    #: (address, port, name that it was resolved from or ""); raises LualoftError to refuse it. Asked before each
    #: connect, for proxies and redirects too.
    check_address: Callable[[str, int, str], None] = allow_address
    #: Is anything refused at all? Then no unix socket is reached, and servers behind a proxy are looked up and checked
    #: here, although the proxy will do its own lookup.
    is_restricted: bool = False


class Cancellation(Protocol):
    """Through which a call that nobody waits for any more frees its thread."""

    def add(self, callback: Callable[[], None]) -> None:
        """Call it once, from any thread, when the call is cancelled; at once when it already is."""

    def discard(self, callback: Callable[[], None]) -> None:
        """Forget a callback."""


class Cancel:
    """The Cancellation of one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] | None = []

    def cancel(self) -> None:
        """Cancel: what the call waits for ends now."""
        with self._lock:
            callbacks, self._callbacks = self._callbacks or [], None
        for callback in callbacks:
            callback()

    def add(self, callback: Callable[[], None]) -> None:
        """See Cancellation."""
        with self._lock:
            if self._callbacks is not None:
                self._callbacks.append(callback)
                return
        callback()

    def discard(self, callback: Callable[[], None]) -> None:
        """See Cancellation."""
        with self._lock:
            if self._callbacks and callback in self._callbacks:
                self._callbacks.remove(callback)
