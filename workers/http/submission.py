"""One submitted request from its first attempt to its response: retries, redirects, and the words for how it ended.

`client` runs it on the caller's thread. Decisions are made by pure functions of `following`; here they are carried out.

**Mirrors** http-client-request.c.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.errors import LualoftError
from workers.http.destination import check_host, is_address, look_up
from workers.http.exchange import Answer, Exchange
from workers.http.failure import (
    CONNECT_FAILED,
    CONNECTION_LOST,
    INVALID_REDIRECT,
    TIMED_OUT,
    HttpFailure,
    deadline_passed,
    seconds,
)
from workers.http.following import Follow, Next, Rules, decide
from workers.http.http_date import http_date
from workers.http.interruption import Interruption
from workers.http.message import ERROR_LEVEL, Request, Response, Stats
from workers.http.pool import Ride
from workers.http.request_head import HeadParts, build_connect_head, build_head
from workers.http.route import Route, route
from workers.http.securing import Securing
from workers.http.url import UrlError, parse_url

if TYPE_CHECKING:
    from workers.http.client import Engine

#: Ends whose texts carry the request's statistics.
_WITH_STATISTICS: Final = frozenset({CONNECTION_LOST, TIMED_OUT})
#: Ends that the whole request's deadline may have brought about.
_WAITS: Final = frozenset({CONNECT_FAILED, CONNECTION_LOST, TIMED_OUT})
#: Headers that describe a payload, which a request loses when it becomes a GET.
_PAYLOAD_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})


@dataclass(slots=True)
class _Counts:
    attempts: int = 0
    retries: int = 0
    redirects: int = 0
    in_bytes: int = 0
    out_bytes: int = 0


class Submission:
    """One request on its way; used once, by one thread."""

    def __init__(self, engine: Engine, request: Request, rules: Rules, interruption: Interruption) -> None:
        self._engine = engine
        self._rules = rules
        self._interruption = interruption
        self._method = request.method
        self._url = request.url
        self._headers = request.headers
        self._disabled = request.disabled
        self._payload = request.payload
        self._is_sync = request.is_sync
        #: What the peer of this attempt is known to do.
        self._is_peer_expecting = True
        # "Authorization" of the first URL stays with the request, wherever it is sent to.
        self._credentials = (request.url.user, request.url.password)
        self._date = http_date()
        self._queued_s = time.monotonic()
        self._first_sent_s = 0.0
        self._exchange: Exchange | None = None
        self._counts = _Counts()

    def run(self) -> Response:
        """Do it all; never raises for what goes wrong on the way."""
        try:
            while True:
                answer = self._attempted()
                if answer is None:
                    continue
                following = decide(answer.head, self._rules, time.time(), self._is_expecting())
                if not self._is_followed(following):
                    return self._response(answer)
        except HttpFailure as failure:
            return self._failed(failure)

    # One attempt.

    def _attempted(self) -> Answer | None:
        """The answer of one attempt; None: it failed, and another one is due."""
        try:
            return self._attempt()
        except HttpFailure as failure:
            self._interruption.check()
            is_over = self._interruption.remaining_s() <= 0
            if failure.is_temporary and self._rules.is_retrying and not is_over and self._may_retry():
                self._counts.retries += 1
                return None
            raise

    def _attempt(self) -> Answer:
        engine = self._engine
        way = route(self._url, engine.proxy, is_tunnelled=engine.settings.proxy_ssl_tunnel)
        if engine.proxy:
            self._check_target()
        pool = engine.adapter.pool(way.peer)
        self._is_peer_expecting = not pool.peer.expectation.is_useless
        exchange = self._exchange = self._new_exchange(way)
        ride = Ride(exchange=exchange, connect_timeout_s=self._rules.connect_timeout_s, securing=self._securing(way))
        try:
            return engine.adapter.ride(pool, ride)
        finally:
            self._count(exchange)

    def _new_exchange(self, way: Route) -> Exchange:
        engine = self._engine
        is_expecting = self._is_expecting()
        parts = HeadParts(
            method=self._method,
            url=self._url,
            headers=self._headers,
            disabled=self._disabled,
            payload_bytes=None if self._payload is None else len(self._payload),
            is_expecting=is_expecting,
            date=self._date,
            user_agent=engine.settings.user_agent,
            credentials=self._credentials,
            is_proxied=way.is_proxied,
            proxy_authorization=way.proxy_authorization if way.is_proxied else b"",
        )
        return Exchange(
            method=self._method,
            head=build_head(parts),
            payload=self._payload or b"",
            is_expecting=is_expecting,
            timeout_s=self._rules.timeout_s,
            limits=engine.limits,
            interruption=self._interruption,
        )

    def _securing(self, way: Route) -> Securing:
        engine, key = self._engine, way.peer
        connect_head = b""
        if key.tunnel and engine.proxy and engine.proxy.is_tls:
            # In the clear it would get the credentials, and then fail.
            raise HttpFailure(CONNECT_FAILED, f"Tunnel connect({key.tunnel}) failed: No tunnels through a TLS proxy")
        if key.tunnel:
            connect_head = build_connect_head(
                key.tunnel.encode("ascii"), self._date, engine.settings.user_agent, way.proxy_authorization
            )
        context = engine.tls_context() if key.tls_name else None
        return Securing(key, self._interruption, engine.limits.head, context, connect_head)

    def _check_target(self) -> None:
        """Ask the operator's rules about a server that a proxy is going to be asked for.

        All of its addresses must be allowed: nobody knows which one the proxy will choose.
        """
        network, host, port = self._engine.network, self._url.host.decode("ascii"), self._url.port
        if not network.is_restricted:
            return
        check_host(network, host, port)
        is_literal = is_address(host)
        limit_s = self._rules.connect_timeout_s
        addresses = [host] if is_literal else look_up(network, host, limit_s, self._interruption)
        for address in addresses:
            try:
                network.check_address(address, port, "" if is_literal else host)
            except LualoftError as exc:
                raise HttpFailure(CONNECT_FAILED, f"connect({host}:{port}) failed: {exc}") from exc

    def _is_expecting(self) -> bool:
        return self._is_sync and bool(self._payload) and self._is_peer_expecting

    def _count(self, exchange: Exchange) -> None:
        counts = self._counts
        if exchange.sent_s:
            counts.attempts += 1
            self._first_sent_s = self._first_sent_s or exchange.sent_s
        counts.in_bytes += exchange.in_bytes
        counts.out_bytes += exchange.out_bytes

    def _may_retry(self) -> bool:
        return self._counts.retries + 1 < self._rules.max_attempts

    # What follows an answer.

    def _is_followed(self, following: Next) -> bool:
        """Prepare what follows; False: the answer is the response."""
        if following.kind is Follow.REDIRECT:
            self._redirect(following)
        elif following.kind is Follow.NOTHING or not self._may_retry():
            return False
        else:
            self._counts.retries += 1
            if following.kind is Follow.RETRY_WITHOUT_EXPECT:
                self._is_sync = False
        if following.at_unix_s:
            self._interruption.sleep(following.at_unix_s - time.time())
            if self._interruption.remaining_s() <= 0:
                raise deadline_passed()
        return True

    def _redirect(self, following: Next) -> None:
        try:
            url = parse_url(following.location, allows_userinfo=False)
        except UrlError as exc:
            raise HttpFailure(INVALID_REDIRECT, f"Invalid redirect location: {exc.detail}") from exc
        self._counts.redirects += 1
        if self._counts.redirects > self._rules.max_redirects:
            text = f"Redirected more than {self._rules.max_redirects} times"
            raise HttpFailure(INVALID_REDIRECT, text if self._rules.max_redirects else "Redirect refused")
        self._url = url
        if following.becomes_get and self._method.upper() not in {b"GET", b"HEAD"}:
            self._method, self._payload = b"GET", None
            # Left in, they would announce a payload that does not come.
            self._headers = tuple(pair for pair in self._headers if pair[0].lower() not in _PAYLOAD_FIELDS)

    # Ends.

    def _response(self, answer: Answer) -> Response:
        head, retries = answer.head, self._counts.retries
        reason = head.reason
        if retries:
            duration = seconds(time.monotonic() - self._first_sent_s)
            reason += f" ({retries} retries in {duration} secs)".encode()
        problem = answer.payload.problem
        log = ((ERROR_LEVEL, f"ERROR: REQUEST PAYLOAD READ ERROR: {problem}".encode()),) if problem else ()
        return Response(
            status=head.status,
            reason=reason,
            headers=tuple(head.fields),
            payload=answer.payload.content,
            log=log,
            stats=self._stats(),
            url=self._url,
            version=head.version,
            is_complete=not problem,
        )

    def _failed(self, failure: HttpFailure) -> Response:
        status, text = failure.status, failure.text
        if status in _WAITS and self._interruption.remaining_s() <= 0:
            status, text = TIMED_OUT, deadline_passed().text
        if status in _WITH_STATISTICS:
            text = f"{text} ({self._statistics()})"
        reason = text.encode("utf-8", "replace")
        return Response(status=status, reason=reason, stats=self._stats(), url=self._url, failure=failure)

    def _stats(self) -> Stats:
        counts = self._counts
        return Stats(
            attempts=counts.attempts,
            redirects=counts.redirects,
            net_in_bytes=counts.in_bytes,
            net_out_bytes=counts.out_bytes,
        )

    def _statistics(self) -> str:
        """How far the request came, in Dovecot's words."""
        now_s, counts, exchange = time.monotonic(), self._counts, self._exchange
        text = f"Request queued {seconds(now_s - self._queued_s)} secs ago"
        if counts.retries:
            text += f", {counts.retries} times retried"
        if not counts.attempts or exchange is None:
            return text + ", not yet sent, 0.000 in other ioloops"
        text += f", {counts.attempts} send attempts in {seconds(now_s - self._first_sent_s)} secs"
        if counts.attempts > 1 and exchange.sent_s:
            text += f", {seconds(now_s - exchange.sent_s)} in last attempt"
        text += ", 0.000 in other ioloops"
        if exchange.connected_s:
            text += f", connected {seconds(now_s - exchange.connected_s)} secs ago"
        return text
