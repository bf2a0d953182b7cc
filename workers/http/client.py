"""The HTTP client of a script: `submit` sends a request and waits for its end.

One per `dovecot.http.client{}`; any number of threads call it at the same time. Connections, back-off and addresses are
shared by its requests and by nobody else's.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.http.adapter import Adapter
from workers.http.exchange import CONTINUE_WAIT_S, Limits
from workers.http.failure import ABORTED
from workers.http.following import Rules
from workers.http.interruption import Interruption
from workers.http.message import Request, Response
from workers.http.network import Cancellation, Network
from workers.http.response_body import MAX_PAYLOAD_BYTES
from workers.http.response_head import HeadLimits
from workers.http.route import Proxy, proxy_of
from workers.http.settings import ClientSettings
from workers.http.submission import Submission
from workers.http.tls import make_context

if TYPE_CHECKING:
    import ssl

_MS: Final = 1000

#: Method -> the settings that it has of its own begin with this.
_KINDS: Final = {b"GET": "read", b"HEAD": "read", b"PUT": "write", b"POST": "write", b"DELETE": "delete"}


@dataclass(slots=True)
class Engine:
    """What the requests of a client share."""

    settings: ClientSettings
    network: Network
    adapter: Adapter
    limits: Limits
    proxy: Proxy | None
    #: Set by the first https request.
    _context: ssl.SSLContext | None = None

    def tls_context(self) -> ssl.SSLContext:
        """The TLS settings, made when they are first needed.

        Raises:
            HttpFailure: 9003, they cannot be used.
        """
        # Two threads may both make one: either is right.
        if self._context is None:
            self._context = make_context(self.settings)
        return self._context


class HttpClient:
    """A client."""

    def __init__(
        self,
        settings: ClientSettings,
        network: Network | None = None,
        *,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
        continue_wait_s: float = CONTINUE_WAIT_S,
    ) -> None:
        """Set up; nothing is connected or read yet.

        Args:
            settings: what the script said.
            network: how names are resolved and what may be reached.
            max_payload_bytes: larger answers end as 9007.
            continue_wait_s: how long a server may take to say `100 Continue`.

        Raises:
            UrlError: `proxy_url` is none.
        """
        network = network or Network()
        head = HeadLimits(
            settings.response_hdr_max_size_bytes,
            settings.response_hdr_max_field_size_bytes,
            settings.response_hdr_max_fields,
        )
        limits = Limits(head=head, max_payload_bytes=max_payload_bytes, continue_wait_s=continue_wait_s)
        self._engine = Engine(settings, network, Adapter(settings, network), limits, proxy_of(settings))
        self._rules: dict[str, Rules] = {}
        self._lock = threading.Lock()
        self._running: set[Interruption] = set()
        self._is_closed = False

    def submit(self, request: Request, deadline_s: float | None = None, cancel: Cancellation | None = None) -> Response:
        """Send a request and wait for its end.

        Args:
            request: it.
            deadline_s: monotonic time after which nobody waits for the answer any more: it ends as 9008.
            cancel: ends it as 9000 when the call that waits for it is cancelled.

        Returns:
            What the server said, or one of the internal statuses 9000 to 9009.
        """
        rules = self._rules_of(request.method)
        interruption = Interruption(_earlier(rules.absolute_timeout_s, deadline_s))
        with self._lock:
            if self._is_closed:
                return Response(status=ABORTED, reason=b"Aborted", url=request.url)
            self._running.add(interruption)
        if cancel:
            cancel.add(interruption.interrupt)
        try:
            return Submission(self._engine, request, rules, interruption).run()
        finally:
            if cancel:
                cancel.discard(interruption.interrupt)
            with self._lock:
                self._running.discard(interruption)

    def close(self) -> None:
        """Close the connections; requests that wait end as 9000. Does not wait for them."""
        with self._lock:
            self._is_closed = True
            running = list(self._running)
        for interruption in running:
            interruption.interrupt()
        self._engine.adapter.close()

    def retire(self) -> None:
        """Keep no connection any more; requests that wait go on to their end."""
        self._engine.adapter.close()

    def _rules_of(self, method: bytes) -> Rules:
        kind = _KINDS.get(method.upper(), "")
        if kind not in self._rules:
            self._rules[kind] = make_rules(self._engine.settings, kind)
        return self._rules[kind]


def make_rules(settings: ClientSettings, kind: str) -> Rules:
    """What the settings come to for a kind of method: `read`, `write`, `delete`, or empty for all others."""
    attempts = timeout_ms = 0
    if kind:
        attempts = getattr(settings, f"{kind}_request_max_attempts")
        timeout_ms = getattr(settings, f"{kind}_request_timeout_ms")
    timeout_ms = timeout_ms or settings.request_timeout_ms
    absolute_ms = settings.request_absolute_timeout_ms
    return Rules(
        max_attempts=attempts or settings.request_max_attempts,
        timeout_s=timeout_ms / _MS,
        connect_timeout_s=(settings.connect_timeout_ms or settings.request_timeout_ms) / _MS,
        absolute_timeout_s=absolute_ms / _MS if absolute_ms else None,
        is_retrying=settings.auto_retry,
        is_redirecting=settings.auto_redirect,
        max_redirects=settings.request_max_redirects,
        max_delay_s=settings.max_auto_retry_delay_s or timeout_ms // _MS,
    )


def _earlier(timeout_s: float | None, deadline_s: float | None) -> float | None:
    if timeout_s is None:
        return deadline_s
    own_s = time.monotonic() + timeout_s
    return own_s if deadline_s is None else min(own_s, deadline_s)
