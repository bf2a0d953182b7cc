"""A server that misbehaves on demand: real sockets on loopback, and a script per path of what to do once it was asked.

A script is bytes to be sent, or a function of the `Conversation`. What was asked is kept byte for byte.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Final, Self

#: A server thread that waits longer than any test takes would hide a bug.
LIMIT_S: Final = 30.0

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Conversation:
    """One connection, seen from the server."""

    def __init__(self, server: FaultServer, sock: socket.socket):
        self.server = server
        self.sock = sock
        self.buffer = b""
        self.is_open = True

    def read_head(self) -> bytes:
        """The next request's head; empty: the client hung up."""
        while b"\r\n\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self.buffer += data
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def read_payload(self, size: int) -> bytes:
        while len(self.buffer) < size:
            data = self.sock.recv(65536)
            if not data:
                break
            self.buffer += data
        payload, self.buffer = self.buffer[:size], self.buffer[size:]
        return payload

    def send(self, data: bytes):
        self.sock.sendall(data)

    def drip(self, data: bytes):
        """Send a byte at a time, for ever again from the start, until the client hangs up."""
        while True:
            for byte in data:
                self.send(bytes([byte]))
                if self.server.stopping.wait(0.005):
                    return

    def hang(self):
        """Say nothing until the client hangs up."""
        while self.sock.recv(65536):
            pass

    def close(self):
        self.is_open = False

    def reset(self):
        """Hang up with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


Script = bytes | Callable[[Conversation], None]


class FaultServer:
    """A running server; use as a context."""

    def __init__(self, context: ssl.SSLContext | None = None, host: str = "127.0.0.1", path: str = ""):
        self.context = context
        self.listener = (
            _unix_listener(path)
            if path
            else socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        )
        self.port = 0 if path else self.listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        self.authority = f"{name}:{self.port}"
        self.origin = f"{'https' if context else 'http'}://{self.authority}"
        self.scripts: dict[bytes, Script] = {}
        #: Requests in order, head and payload; without the payload when it was expected to be asked for.
        self.asked: list[bytes] = []
        self.connection_count = 0
        #: What happens on a new connection instead of reading requests.
        self.greeting: Callable[[Conversation], None] | None = None
        self.stopping = threading.Event()
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def on(self, target: str, *scripts: Script):
        """Say what happens when a target is asked for; several scripts: one after the other, the last one stays."""
        waiting = list(scripts)

        def play(conversation: Conversation):
            script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            conversation.send(script) if isinstance(script, bytes) else script(conversation)

        self.scripts[target.encode()] = play

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_exc: object):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for sock in self._socks:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        self.listener.close()

    def _start(self, target: Callable[..., None], *args: object):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connection_count += 1
            sock.settimeout(LIMIT_S)
            self._socks.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket):
        # A client that hangs up is what most scripts wait for.
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
                stack.callback(sock.close)
            conversation = Conversation(self, sock)
            if self.greeting:
                self.greeting(conversation)
                return
            while conversation.is_open and (head := conversation.read_head()):
                self._answer(conversation, head)

    def _answer(self, conversation: Conversation, head: bytes):
        payload = b""
        if b"\r\nExpect: 100-continue" not in head:
            payload = conversation.read_payload(content_length(head))
        self.asked.append(head + payload)
        target = head.split(b" ")[1]
        script = self.scripts.get(target, OK)
        conversation.send(script) if isinstance(script, bytes) else script(conversation)


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def lines(asked: bytes) -> list[bytes]:
    """The lines of a head that was asked, without its date, which no test can know."""
    return [line for line in asked.partition(b"\r\n\r\n")[0].split(b"\r\n") if not line.startswith(b"Date: ")]


def answer(
    status: str = "200 OK", *fields: str, payload: bytes = b"", version: str = "1.1", length: int | None = None
) -> bytes:
    """A response with a Content-Length."""
    size = len(payload) if length is None else length
    return "\r\n".join([f"HTTP/{version} {status}", *fields, f"Content-Length: {size}", "", ""]).encode() + payload


@contextlib.contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """A port that takes no connection and refuses none: its backlog is full, SYNs are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def _unix_listener(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener
