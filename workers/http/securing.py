"""From a connected socket to one that takes requests: the proxy's tunnel first, then TLS.

Called by `connecting` within the time of one connect; failures are 9003, and the next address may still do better.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final

from workers.http.connecting import Try
from workers.http.failure import CONNECT_FAILED, HttpFailure, seconds
from workers.http.interruption import Interruption
from workers.http.peer import PeerKey
from workers.http.response_head import HeadLimits, HeadReader

_OK: Final = 200
#: OpenSSL's numbers for a certificate of somebody else: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
_NAME_MISMATCH: Final = frozenset({62, 64})
_READ_BYTES: Final = 4096


@dataclass(slots=True)
class Securing:
    """The steps for one peer and one request."""

    key: PeerKey
    interruption: Interruption
    limits: HeadLimits
    #: None: no TLS.
    context: ssl.SSLContext | None
    #: Head that asks for the tunnel; empty: there is none.
    connect_head: bytes

    def secure(self, attempt: Try) -> socket.socket:
        """Do the steps; on failure the socket is closed.

        Raises:
            HttpFailure: 9003.
        """
        sock = attempt.sock
        try:
            if self.connect_head:
                self._tunnel(attempt)
            if self.context:
                sock = self._tls(self.context, attempt)
        except BaseException:
            sock.close()
            raise
        return sock

    # TLS.

    def _tls(self, context: ssl.SSLContext, attempt: Try) -> ssl.SSLSocket:
        started_s = time.monotonic()
        try:
            # wrap_socket does the same, but loses the socket on a failure.
            self.key.tls_name.encode("idna")
        except UnicodeError as exc:
            raise self._handshake_failure(attempt, "No certificate can have this host name") from exc
        wrapped = context.wrap_socket(attempt.sock, server_hostname=self.key.tls_name, do_handshake_on_connect=False)
        try:
            self._handshake(wrapped, attempt)
        except TimeoutError as exc:
            duration = seconds(time.monotonic() - started_s)
            raise self._handshake_failure(attempt, f"Connection timed out in {duration} secs") from exc
        except OSError as exc:
            raise self._handshake_failure(attempt, self._tls_problem(exc)) from exc
        return wrapped

    def _handshake(self, wrapped: ssl.SSLSocket, attempt: Try) -> None:
        """Shake hands, or close the socket, which is no longer the attempt's."""
        try:
            self.interruption.hold(wrapped)
            self._limit(wrapped, attempt)
            wrapped.do_handshake()
        except BaseException:
            self.interruption.drop(wrapped)
            wrapped.close()
            raise
        self.interruption.drop(wrapped)

    def _tls_problem(self, exc: OSError) -> str:
        if isinstance(exc, ssl.SSLCertVerificationError):
            if exc.verify_code in _NAME_MISMATCH:
                return f"SSL certificate doesn't match expected host name {self.key.tls_name}"
            return f"Received invalid SSL certificate: {exc.verify_message}"
        if isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return "EOF"
        if isinstance(exc, ssl.SSLError):
            return (exc.reason or "TLS error").replace("_", " ").lower()
        return exc.strerror or "EOF"

    @staticmethod
    def _handshake_failure(attempt: Try, problem: str) -> HttpFailure:
        return HttpFailure(CONNECT_FAILED, f"SSL handshaking with {attempt.name} failed: {problem}")

    # The tunnel.

    def _tunnel(self, attempt: Try) -> None:
        started_s = time.monotonic()
        sock = attempt.sock
        self.interruption.hold(sock)
        try:
            status, reason = self._ask(attempt)
        except TimeoutError as exc:
            duration = seconds(time.monotonic() - started_s)
            raise self._tunnel_failure(f"Connection timed out in {duration} secs") from exc
        except OSError as exc:
            raise self._tunnel_failure(exc.strerror or "Connection closed") from exc
        except HttpFailure as failure:
            raise self._tunnel_failure(failure.text) from failure
        finally:
            self.interruption.drop(sock)
        if status != _OK:
            raise self._tunnel_failure(f"{status} {reason.decode('utf-8', 'replace')}")

    def _ask(self, attempt: Try) -> tuple[int, bytes]:
        sock = attempt.sock
        self._limit(sock, attempt)
        sock.sendall(self.connect_head)
        reader = HeadReader(self.limits)
        while True:
            self._limit(sock, attempt)
            # No byte of what the server behind the proxy says may be read here: it speaks only when spoken to.
            data = sock.recv(_READ_BYTES)
            if not data:
                raise ConnectionResetError
            if complete := reader.feed(data):
                head, _ = complete
                return head.status, head.reason

    def _tunnel_failure(self, problem: str) -> HttpFailure:
        return HttpFailure(CONNECT_FAILED, f"Tunnel connect({self.key.tunnel}) failed: {problem}")

    def _limit(self, sock: socket.socket, attempt: Try) -> None:
        remaining_s = min(attempt.deadline_s, self.interruption.deadline_s) - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        sock.settimeout(remaining_s)
