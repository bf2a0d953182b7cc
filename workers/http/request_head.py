"""The head of a request, in the one order in which Dovecot writes it.

Pure; called by `submission` for each attempt. No Accept, no Accept-Encoding, no Content-Type unless the script says so.

**Mirrors** http-client-request.c.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from workers.http.failure import PREREQUISITE_FAILED, HttpFailure
from workers.http.url import Url

_METHODS_WITH_PAYLOAD: Final = frozenset({b"POST", b"PUT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadParts:
    """What one head is made of."""

    method: bytes
    url: Url
    #: Explicit headers, in order.
    headers: tuple[tuple[bytes, bytes], ...]
    #: Lower-case names of implicit headers that are left out.
    disabled: frozenset[bytes]
    #: Size of the payload; None: there is none.
    payload_bytes: int | None
    is_expecting: bool
    date: bytes
    user_agent: bytes
    #: User and password for Basic authorization; without both none is sent.
    credentials: tuple[bytes | None, bytes | None] = (None, None)
    #: The next hop reads it as a proxy: absolute target, no Connection.
    is_proxied: bool = False
    #: Value of Proxy-Authorization; empty: none.
    proxy_authorization: bytes = b""


def build_head(parts: HeadParts) -> bytes:
    """Write the head, with the empty line.

    Raises:
        HttpFailure: 9009, a part holds a line break: it would become a header of its own.
    """
    url, disabled = parts.url, parts.disabled
    authority = url.authority
    target = url.target
    if parts.is_proxied:
        target = (b"https://" if url.is_tls else b"http://") + authority + target
    lines = [parts.method + b" " + target + b" HTTP/1.1"]
    if b"host" not in disabled:
        lines.append(b"Host: " + authority)
    if b"date" not in disabled:
        lines.append(b"Date: " + parts.date)
    user, password = parts.credentials
    if user is not None and password is not None and b"authorization" not in disabled:
        lines.append(b"Authorization: " + basic(user, password))
    if parts.proxy_authorization:
        lines.append(b"Proxy-Authorization: " + parts.proxy_authorization)
    if parts.user_agent and b"user-agent" not in disabled:
        lines.append(b"User-Agent: " + parts.user_agent)
    if parts.is_expecting and b"expect" not in disabled:
        lines.append(b"Expect: 100-continue")
    lines += _length(parts)
    if not parts.is_proxied and b"connection" not in disabled:
        lines.append(b"Connection: Keep-Alive")
    lines += [name + b": " + value for name, value in parts.headers]
    return _joined(lines)


def build_connect_head(target: bytes, date: bytes, user_agent: bytes, proxy_authorization: bytes) -> bytes:
    """Write the head that asks a proxy for a tunnel; `target` is host:port."""
    lines = [b"CONNECT " + target + b" HTTP/1.1", b"Host: " + target, b"Date: " + date]
    if proxy_authorization:
        lines.append(b"Proxy-Authorization: " + proxy_authorization)
    if user_agent:
        lines.append(b"User-Agent: " + user_agent)
    return _joined(lines)


def basic(user: bytes, password: bytes) -> bytes:
    """Credentials as `Authorization` carries them."""
    return b"Basic " + b64encode(user + b":" + password)


def _length(parts: HeadParts) -> list[bytes]:
    if not parts.disabled.isdisjoint({b"content-length", b"transfer-encoding"}):
        return []
    if parts.payload_bytes is None and parts.method.upper() not in _METHODS_WITH_PAYLOAD:
        return []
    return [b"Content-Length: %d" % (parts.payload_bytes or 0)]


def _joined(lines: list[bytes]) -> bytes:
    head = b"\r\n".join([*lines, b"", b""])
    # The Lua objects refuse line breaks; this is the last place where one would be somebody else's request.
    if head.count(b"\n") != len(lines) + 1 or head.count(b"\r") != len(lines) + 1:
        raise HttpFailure(PREREQUISITE_FAILED, "Request has a line break in its method, a header or a setting")
    return head
