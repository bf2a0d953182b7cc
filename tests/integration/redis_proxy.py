"""A proxy on loopback between us and Redis that delays, swallows and cuts, for the table of faults."""

import contextlib
import socket
import struct
import threading
import time

#: SO_LINGER of zero seconds: close with a reset.
RESET = struct.pack("ii", 1, 0)


class RedisProxy:
    """Passes bytes on to a unix socket; a context manager."""

    def __init__(self, target):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs = set()
        self._lock = threading.Lock()
        #: Seconds by which each piece of an answer is late.
        self.delay_s = 0.0
        #: Connections pass nothing on any more once it was set, as when a router has forgotten them.
        self.is_black_hole = False
        #: The connection of the next answer with this in it is reset before the answer arrives.
        self.cut_before = b""
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self):
        """Reset every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # The thread that reads it is woken by this, and not by a close.
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as server:
            with contextlib.suppress(OSError):
                server.connect(self._target)
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
            questions = threading.Thread(target=self._pass_on, args=(client, server), daemon=True)
            questions.start()
            self._pass_on(server, client, is_answer=True)
            questions.join()
            with self._lock:
                self._pairs.discard(pair)

    def _pass_on(self, source, sink, *, is_answer=False):
        with contextlib.suppress(OSError):
            is_dead = False
            while data := source.recv(65536):
                if is_answer and self.delay_s:
                    time.sleep(self.delay_s)
                if is_answer and self.cut_before and self.cut_before in data:
                    self.cut_before = b""
                    break
                # A stream with a hole in it is none: what follows is not passed on either.
                is_dead = is_dead or self.is_black_hole
                if not is_dead:
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
