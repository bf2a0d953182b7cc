"""One HTTP exchange for the Lua modules socket.http and ssl.https: the operation `http_exchange`.

A plain blocking function over requests, run on a thread of the operation runner; it holds no Lua object and never
raises: what goes wrong comes back in LuaSocket's words. Redirects, cookies and decompression are the script's business.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from workers.operations.http_error import BodyTooLargeError, error_words

if TYPE_CHECKING:
    from collections.abc import Iterator

#: (status, reason, [[name, value], …], body, version) or (None, error text).
Answer = tuple[int, bytes, list[list[bytes]], bytes, bytes] | tuple[None, bytes]

#: Answers larger than this are refused: they would have to fit into the worker and into the Lua state.
MAX_BODY_BYTES: Final = 16 * 1024 * 1024

#: What is read from a connection at once.
READ_BYTES: Final = 64 * 1024

#: Sent when the script sends none.
DEFAULT_USER_AGENT: Final = "lualoft"

#: Idle connections that one thread keeps, by host.
POOLED_HOSTS: Final = 16

#: Printable ASCII: everything else in a URL is percent-encoded, as it could end the request line.
_URL_SAFE: Final = "".join(map(chr, range(0x21, 0x7F)))

_OWN_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})


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


class _NoCookies(RequestsCookieJar):
    """A jar that keeps nothing: connections are shared by scripts and calls, cookies must not be."""

    def set_cookie(self, *_args: object, **_kwargs: object) -> None:
        pass


class _Sessions(threading.local):
    """One session per thread: a session is not safe to share, its connections are worth keeping."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies = _NoCookies()
        adapter = HTTPAdapter(pool_connections=POOLED_HOSTS, pool_maxsize=1)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)


_sessions: Final = _Sessions()


def exchange(request: dict[bytes, Any]) -> Answer:
    """Do the exchange that the Lua table asks for (workers/lua/modules/lualoft_http.lua).

    Args:
        request: method, url, headers (list of [name, value]; an empty table arrives as a dict), body, timeout_s, and
            optionally verify (False: any certificate), proxy, ca_file.
    """
    route = Route(
        proxy=request.get(b"proxy", b""),
        is_verified=request.get(b"verify", True),
        ca_file=request.get(b"ca_file", b""),
    )
    headers = list(request.get(b"headers") or [])
    return send(request[b"method"], request[b"url"], headers, request[b"body"], float(request[b"timeout_s"]), route)


def send(
    method: bytes, url: bytes, headers: list[list[bytes]], body: bytes, timeout_s: float, route: Route = DIRECT
) -> Answer:
    """Send a request and read the whole answer.

    Args:
        headers: [name, value] pairs; length and transfer encoding are written from the body.
        timeout_s: limit for connecting, for each wait, and for the body as a whole.
        route: proxy and trust.
    """
    deadline = time.monotonic() + timeout_s
    try:
        prepared = _prepared(method, url, headers, body)
        with _sessions.session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(timeout_s, timeout_s),
            verify=_verification(route),
            proxies=_proxies(route),
        ) as response:
            content = _read(response, deadline)
            return response.status_code, _reason(response), _fields(response), content, _version(response)
    except Exception as exc:  # noqa: BLE001 - a reply is made of it; urllib3's own errors have no common import here
        return None, error_words(exc).encode("utf-8", "replace")


def _prepared(method: bytes, url: bytes, headers: list[list[bytes]], body: bytes) -> requests.PreparedRequest:
    # Not Session.prepare_request: it would add requests' own User-Agent and Accept-Encoding.
    fields = CaseInsensitiveDict({"User-Agent": DEFAULT_USER_AGENT})
    for name, value in headers:
        if name.lower() not in _OWN_FIELDS:
            fields[name.decode("latin-1")] = value.decode("latin-1")
    return requests.Request(
        method.decode("latin-1"), quote(url, safe=_URL_SAFE), headers=fields, data=body or None
    ).prepare()


def _verification(route: Route) -> bool | str:
    if not route.is_verified:
        return False
    if not route.ca_file:
        return _system_authorities()
    path = Path(os.fsdecode(route.ca_file))
    path.stat()  # requests' own complaint has no error number to word
    return str(path)


def _system_authorities() -> bool | str:
    """The operator's trust store, so that an authority installed there counts; else the one requests brings."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    if paths.capath and any(os.scandir(paths.capath)):
        return paths.capath
    return True


def _proxies(route: Route) -> dict[str, str]:
    if not route.proxy:
        return {}
    proxy = quote(route.proxy, safe=_URL_SAFE)
    return {"http": proxy, "https": proxy}


# A script that says verify = "none" knows what it does; urllib3 would say so on standard error once a worker.
warnings.filterwarnings("ignore", message="Unverified HTTPS request")


# Reading the answer.


def _read(response: requests.Response, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size_bytes = 0
    for chunk in _chunks(response):
        size_bytes += len(chunk)
        if size_bytes > MAX_BODY_BYTES:
            raise BodyTooLargeError(MAX_BODY_BYTES)
        if time.monotonic() > deadline:
            # A server that sends a byte now and then would hold the thread for ever.
            raise TimeoutError
        chunks.append(chunk)
    return b"".join(chunks)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    # read1 gives what has arrived, so that the deadline is looked at between a slow server's bytes.
    while chunk := response.raw.read1(READ_BYTES, decode_content=False):
        yield chunk


def _reason(response: requests.Response) -> bytes:
    return (response.raw.reason or "").encode("latin-1", "replace")


def _version(response: requests.Response) -> bytes:
    return b"1.0" if response.raw.version == 10 else b"1.1"  # noqa: PLR2004 - http.client's number for HTTP/1.0


def _fields(response: requests.Response) -> list[list[bytes]]:
    return [[name.encode("latin-1"), value.encode("latin-1")] for name, value in response.raw.headers.items()]
