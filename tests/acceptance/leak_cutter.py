"""Passes everything on to Redis, and loses the connection whenever a script was to run there: commits end uncertain."""

import contextlib
import socket
import threading
from pathlib import Path


class Cutter:
    """Listens on a unix socket beside Redis' own; a context manager."""

    def __init__(self, redis_path):
        self._redis_path = str(redis_path)
        self.path = Path(f"{redis_path}.cut")
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        # Ends with an error when the socket is shut down.
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._redis_path)
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=_pass, args=(source, target), daemon=True).start()


def _pass(source, target):
    with contextlib.suppress(OSError), source, target:
        while data := source.recv(65536):
            if b"EVAL" in data:
                # First: the answer must not be quicker.
                source.shutdown(socket.SHUT_RDWR)
            target.sendall(data)
