"""Where a request goes first: to the server of its URL, to a proxy that passes it on, or through a proxy's tunnel.

Pure; called by `submission` for each URL that it asks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from workers.http.peer import PeerKey
from workers.http.request_head import basic
from workers.http.settings import ClientSettings
from workers.http.url import Url, parse_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy of a client."""

    host: str = ""
    port: int = 0
    is_tls: bool = False
    #: It listens on this unix socket instead.
    socket_path: str = ""
    #: Value of Proxy-Authorization; empty: none.
    authorization: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one URL is reached."""

    peer: PeerKey
    #: The peer is a proxy that reads the request itself.
    is_proxied: bool = False
    #: For the proxy that reads the request, or that is asked for the tunnel.
    proxy_authorization: bytes = field(default=b"", repr=False)


def proxy_of(settings: ClientSettings) -> Proxy | None:
    """The proxy that the settings name; a unix socket wins over a URL.

    Raises:
        UrlError: `proxy_url` is none.
    """
    user: bytes | None = settings.proxy_username or None
    password: bytes | None = settings.proxy_password.reveal().encode("utf-8", "surrogateescape")
    if settings.proxy_socket_path:
        path = os.fsdecode(settings.proxy_socket_path)
        return Proxy(socket_path=path, authorization=_authorization(user, password))
    if not settings.proxy_url:
        return None
    url = parse_url(settings.proxy_url)
    if user is None:
        user, password = url.user, url.password
    return Proxy(
        host=url.host.decode("ascii"),
        port=url.port,
        is_tls=url.is_tls,
        authorization=_authorization(user, password),
    )


def route(url: Url, proxy: Proxy | None, *, is_tunnelled: bool) -> Route:
    """Decide how a URL is reached.

    Args:
        is_tunnelled: ask the proxy for a tunnel to https servers, instead of telling it what is asked of them.
    """
    host = url.host.decode("ascii")
    tls_name = host if url.is_tls else ""
    if proxy is None:
        return Route(peer=PeerKey(host, url.port, tls_name=tls_name))
    if url.is_tls and is_tunnelled:
        name = f"[{host}]" if url.is_ip_literal else host
        tunnel = f"{name}:{url.port}"
        peer = PeerKey(proxy.host, proxy.port, proxy.socket_path, tls_name, tunnel)
        return Route(peer=peer, proxy_authorization=proxy.authorization)
    peer = PeerKey(proxy.host, proxy.port, proxy.socket_path, proxy.host if proxy.is_tls else "")
    return Route(peer=peer, is_proxied=True, proxy_authorization=proxy.authorization)


def _authorization(user: bytes | None, password: bytes | None) -> bytes:
    return basic(user, password) if user is not None and password is not None else b""
