"""The operation `http_submit`: makes a request of what Lua hands over, and plain values of its response.

The catalogue of operations makes one per worker; workers/api/http_request.lua waits for it. It runs on a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.http.message import Request
from workers.http.network import Cancel
from workers.http.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.http.message import Response
    from workers.http.registry import ClientRegistry
    from workers.operations.operation import CancelToken

#: The operation's name in Lua.
HTTP_SUBMIT: Final = b"http_submit"

#: The largest payload that a script may send; the engine's cap on what an operation is given leaves room for it.
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

#: status, reason, headers, payload, log, URL, tries, redirects, bytes in, bytes out. Headers and log are pairs, each
#: part followed by a NUL.
Answer = tuple[int, bytes, bytes, bytes, bytes, bytes, int, int, int, int]


def http_submit(registry: ClientRegistry) -> Callable[..., Answer]:
    """Return the operation over the clients of a worker."""

    def submit(token: CancelToken, client_id: int, *parts: bytes | None) -> Answer:
        cancel = Cancel()
        token.on_cancel(cancel.cancel)
        return answer_of(registry.submit(client_id, request_of(*parts), cancel))

    return submit


def request_of(*parts: bytes | bool | None) -> Request:
    """Make a request.

    Args:
        parts: method, URL, headers (name, value, …, each followed by a NUL), lower-case names of the implicit headers
            that are not sent (comma separated), payload or None, is it sync?

    Raises:
        UrlError: Lua was given this URL as a good one, so it is a bug.
    """
    method, url, headers, disabled, payload, is_sync = parts
    # For the type checker: workers/api/http_request.lua gives nothing else.
    assert isinstance(method, bytes) and isinstance(url, bytes) and isinstance(headers, bytes)  # noqa: S101, PT018
    assert isinstance(disabled, bytes) and (payload is None or isinstance(payload, bytes))  # noqa: S101, PT018
    return Request(
        method=method,
        url=parse_url(url),
        headers=tuple(_pairs(headers)),
        disabled=frozenset(filter(None, disabled.split(b","))),
        payload=payload,
        is_sync=bool(is_sync),
    )


def answer_of(response: Response) -> Answer:
    """Make plain values of a response; texts end at a NUL, the payload does not."""
    return (
        response.status,
        _c_string(response.reason),
        _packed(response.headers),
        response.payload,
        _packed(response.log),
        response.url.origin + response.url.target,
        response.stats.attempts,
        response.stats.redirects,
        response.stats.net_in_bytes,
        response.stats.net_out_bytes,
    )


def _pairs(packed: bytes) -> Iterator[tuple[bytes, bytes]]:
    parts = packed.split(b"\0")[:-1]
    return zip(parts[::2], parts[1::2], strict=True)


def _packed(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(_c_string(part) + b"\0" for pair in pairs for part in pair)


def _c_string(text: bytes) -> bytes:
    return text.partition(b"\0")[0]
