"""Real HTTP servers on loopback: what they were asked is kept, what they answer depends on the path."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A running server."""

    url: str
    asked: list[Asked] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        self.server.asked.append(Asked(self.command, self.path, headers, body))
        kind, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"_{kind}", self._plain)(rest)

    do_GET = do_POST = do_HEAD = do_PUT = do_PATCH = _answer  # noqa: N815 - http.server's names

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes = b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _plain(self, _rest: str):
        fields = [("Content-Length", "5"), ("X-Two", "a"), ("x-two", "b"), ("Set-Cookie", "id=1")]
        self._send(200, fields, b"hello")

    def _status(self, rest: str):
        self._send(int(rest), [("Content-Length", "0")])

    def _redirect(self, rest: str):
        status, _, location = rest.partition("/")
        self._send(int(status), [("Location", location or "/plain"), ("Content-Length", "4")], b"body")

    def _loop(self, _rest: str):
        self._send(302, [("Location", "/loop"), ("Content-Length", "0")])

    def _chunked(self, _rest: str):
        self._send(200, [("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    def _gzip(self, _rest: str):
        self._send(200, [("Content-Encoding", "gzip"), ("Content-Length", "4")], b"\x1f\x8bxx")

    def _cut(self, _rest: str):
        self._send(200, [("Content-Length", "10")], b"half")
        self.close_connection = True

    def _close(self, _rest: str):
        self.close_connection = True

    def _large(self, rest: str):
        self._send(200, [("Content-Length", rest)], b"x" * int(rest))

    def _never(self, _rest: str):
        self._send(200, [("Content-Length", "10")], b"x")
        self.rfile.read(1)  # returns when the client has given up

    def log_message(self, *_args: object):
        """Tests read `asked` instead."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object):
        """A client that gives up is part of the tests."""


@contextmanager
def http_server(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    httpd = _QuietServer(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if context:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        scheme = "https"
    server = Server(f"{scheme}://127.0.0.1:{httpd.server_port}")
    httpd.asked = server.asked
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context with a self-signed certificate for 127.0.0.1, and the certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path
