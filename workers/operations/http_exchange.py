"""One HTTP exchange for the Lua modules socket.http and ssl.https: the operation `http_exchange`.

A blocking function over the client of `workers.http`, run on a thread of the operation runner; it holds no Lua object
and never raises: what goes wrong comes back in LuaSocket's words. Redirects and decoding are the script's business, as
in LuaSocket; so are headers, except those that carry the body.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from workers.http.client import HttpClient
from workers.http.message import Request, Response
from workers.http.network import Cancel, Cancellation, Network
from workers.http.response_body import MAX_PAYLOAD_BYTES
from workers.http.settings import UNLIMITED, ClientSettings
from workers.http.url import Url, UrlError
from workers.operations.http_error import response_words

if TYPE_CHECKING:
    from workers.operations.operation import CancelToken

#: (status, reason, [[name, value], …], body, version) or (None, error text).
Answer = tuple[int, bytes, list[list[bytes]], bytes, bytes] | tuple[None, bytes]

#: Answers larger than this are refused.
MAX_BODY_BYTES: Final = MAX_PAYLOAD_BYTES

#: Sent when the script sends none; the body is handed over as it came, so no encoding is asked for.
DEFAULT_HEADERS: Final = ((b"User-Agent", b"lualoft"), (b"Accept-Encoding", b"identity"))

#: Clients that are kept, one for each network, proxy and trust; the one that was not used for longest goes first.
MAX_CLIENTS: Final = 16

#: LuaSocket has no such limits; these keep a server from filling the worker with headers.
_MAX_FIELDS: Final = 1000
_MAX_FIELD_BYTES: Final = 64 * 1024

_PORTS: Final = {"http": 80, "https": 443}
#: Printable ASCII: everything else in a URL is percent-encoded, as it could end the request line.
_URL_SAFE: Final = "".join(map(chr, range(0x21, 0x7F)))
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_VALUE: Final = re.compile(rb"[\0\r\n]")
_METHOD: Final = re.compile(rb"[!-~]+")

_BODY_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})
#: Dovecot's own, which LuaSocket does not send.
_DISABLED: Final = frozenset({b"date", b"connection", b"user-agent", b"authorization"})
_BAD_REQUEST: Final = b"invalid url or header"


@dataclass(frozen=True, slots=True)
class Route:
    """How the server is reached and trusted."""

    #: URL of a proxy; empty: none, whatever the environment says.
    proxy: bytes = b""
    #: Is the server's certificate checked?
    is_verified: bool = True
    #: File of authorities to trust instead of the system's.
    ca_file: bytes = b""


DIRECT: Final = Route()


class Exchanges:
    """The clients behind socket.http and ssl.https; any thread may call them."""

    def __init__(
        self, network: Network | None = None, network_of: Callable[[int], Network | None] = lambda _id: None
    ) -> None:
        """Set up without connections.

        Args:
            network: how names are resolved, for scripts that may reach everything.
            network_of: finds the network of any other script; None: the script is gone.
        """
        self._network = network
        self._network_of = network_of
        self._lock = threading.Lock()
        self._clients: OrderedDict[tuple[int, Route], HttpClient] = OrderedDict()

    def exchange(self, request: dict[bytes, Any], cancel: Cancellation | None = None) -> Answer:
        """Do the exchange that the Lua table asks for (workers/lua/modules/lualoft_http.lua).

        Args:
            request: method, url, headers (list of [name, value]; an empty table arrives as a dict), body, timeout_s,
                and optionally verify (False: any certificate), proxy, ca_file, network (id; 0: anywhere).
            cancel: ends it when the call that waits for it is cancelled.
        """
        route = Route(
            proxy=request.get(b"proxy", b""),
            is_verified=request.get(b"verify", True),
            ca_file=request.get(b"ca_file", b""),
        )
        try:
            message = _message(request)
            client = self._client(request.get(b"network", 0), route)
        except UrlError:
            return None, _BAD_REQUEST
        if client is None:
            return None, b"closed"
        response = client.submit(message, time.monotonic() + float(request[b"timeout_s"]), cancel)
        if response.failure or not response.is_complete:
            return None, response_words(response).encode("utf-8", "replace")
        return _answer(response)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            clients, self._clients = self._clients, OrderedDict()
        for client in clients.values():
            client.close()

    def _client(self, network_id: int, route: Route) -> HttpClient | None:
        network = self._network_of(network_id) if network_id else self._network
        if network_id and network is None:
            return None
        key = network_id, route
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = HttpClient(_settings(route), network)
            self._clients.move_to_end(key)
            old = self._clients.popitem(last=False)[1] if len(self._clients) > MAX_CLIENTS else None
        if old:
            # Not closed: exchanges of other threads may be on it. Its connections go with it.
            old.retire()
        return client


def http_exchange(exchanges: Exchanges) -> Callable[..., Answer]:
    """Return the operation over the exchanges of a worker."""

    def exchange(token: CancelToken, request: dict[bytes, Any]) -> Answer:
        cancel = Cancel()
        token.on_cancel(cancel.cancel)
        return exchanges.exchange(request, cancel)

    return exchange


def _settings(route: Route) -> ClientSettings:
    return ClientSettings(
        auto_redirect=False,
        auto_retry=False,
        # The exchange's own time limit ends it.
        request_timeout_ms=UNLIMITED,
        # LuaSocket knows no pauses.
        connect_backoff_time_ms=1,
        connect_backoff_max_time_ms=1,
        response_hdr_max_fields=_MAX_FIELDS,
        response_hdr_max_field_size_bytes=_MAX_FIELD_BYTES,
        proxy_url=quote(route.proxy, safe=_URL_SAFE).encode("ascii"),
        ssl_client_require_valid_cert=route.is_verified,
        ssl_client_ca_file=route.ca_file,
    )


def _message(request: dict[bytes, Any]) -> Request:
    """Make the request; raises UrlError for what must not go onto the wire."""
    fields = {name.lower(): (name, value) for name, value in DEFAULT_HEADERS}
    for name, value in list(request.get(b"headers") or []):
        if not _NAME.fullmatch(name) or _NOT_VALUE.search(value):
            raise UrlError("Invalid header")
        fields[name.lower()] = (name, value)
    if not _METHOD.fullmatch(request[b"method"]):
        raise UrlError("Invalid method")
    return Request(
        method=request[b"method"],
        url=_url(request[b"url"]),
        headers=tuple(field for name, field in fields.items() if name not in _BODY_FIELDS),
        disabled=_DISABLED | ({b"host"} & fields.keys()),
        payload=request[b"body"] or None,
    )


def _url(text: bytes) -> Url:
    """Read a URL the lenient way of LuaSocket: what `workers.http.url` refuses is encoded and sent."""
    try:
        parts = urlsplit(quote(text, safe=_URL_SAFE))
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise UrlError("Invalid URL") from exc
    if parts.scheme not in _PORTS or not host:
        raise UrlError("Invalid URL")
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return Url(
        is_tls=parts.scheme == "https",
        host=host.encode("ascii"),
        is_ip_literal=":" in host,
        port=_PORTS[parts.scheme] if port is None else port,
        has_port=port is not None,
        user=None,
        password=None,
        target=target.encode("ascii"),
    )


def _answer(response: Response) -> Answer:
    fields = [[name, value] for name, value in response.headers]
    version = b"%d.%d" % response.version
    return response.status, response.reason, fields, response.payload, version
