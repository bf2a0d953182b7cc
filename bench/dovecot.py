"""The peer: Debian's real Dovecot 2.3 with the same Lua script, asked over its auth socket as imap-login does.

A private one: unix sockets only, its own folder, started by root.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.auth_scripts import Login

#: Waiting for its socket, for an answer, for its end, in seconds.
LIMIT_S: Final = 60.0

_LUA_PLUGIN: Final = Path("/usr/lib/dovecot/modules/auth/libauthdb_lua.so")

_CONFIGURATION: Final = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
# There is no inet listener; Dovecot only refuses an empty list.
listen = 127.0.0.1
ssl = no
auth_mechanisms = plain
disable_plaintext_auth = no
auth_failure_delay = 0
auth_worker_max_count = {workers}
passdb {{
  driver = lua
  args = file={folder}/script.lua
}}
# The folder is closed to every other user.
service auth {{
  user = root
}}
service auth-worker {{
  user = root
}}
"""


def is_there() -> bool:
    """Is Debian's Dovecot with Lua installed, and may we start one?"""
    return shutil.which("dovecot", path="/usr/sbin:/usr/bin") is not None and _LUA_PLUGIN.exists() and os.geteuid() == 0


class DovecotPeer:
    """A running Dovecot; a context manager."""

    def __init__(self, source: bytes, workers: int) -> None:
        self._source = source
        self._workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix="lualoft-bench-")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait for its socket."""
        folder = Path(self._folder.name)
        (folder / "state").mkdir()
        (folder / "script.lua").write_bytes(self._source)
        configuration = folder / "dovecot.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder, workers=self._workers), encoding="utf-8")
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                ["/usr/sbin/dovecot", "-F", "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        give_up_s = time.monotonic() + LIMIT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > give_up_s:
                raise TimeoutError("Dovecot did not start: " + (folder / "output").read_text(encoding="utf-8"))
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        """End it with all of its processes."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_S)
        self._folder.cleanup()

    def run_load(self, logins: Callable[[int], Login], in_flight: int, total: int, latencies_s: list[float]) -> None:
        """Keep `in_flight` logins open until `total` are done."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT_S)
            connection.connect(str(self._socket))
            connection.sendall(f"VERSION\t1\t2\nCPID\t{os.getpid()}\n".encode())
            asked_s: dict[int, float] = {}
            # Dovecot wants numbers over 0.
            numbers = iter(range(1, total + 1))

            def ask() -> None:
                for number in numbers:
                    asked_s[number] = time.perf_counter()
                    connection.sendall(_question(number, logins(number)))
                    return

            for _ in range(in_flight):
                ask()
            for number, is_right in _answers(connection, total):
                latencies_s.append(time.perf_counter() - asked_s.pop(number))
                if is_right is not logins(number).is_right:
                    message = f"Dovecot answered login {number} wrongly"
                    raise AssertionError(message)
                ask()

    @property
    def _socket(self) -> Path:
        return Path(self._folder.name) / "run" / "auth-client"

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(self._socket)) == 0


def _question(number: int, login: Login) -> bytes:
    response = base64.b64encode(f"\0{login.user}\0{login.password}".encode()).decode()
    return f"AUTH\t{number}\tPLAIN\tservice=imap\tresp={response}\n".encode()


def _answers(connection: socket.socket, total: int) -> Iterable[tuple[int, bool]]:
    """Yield (number, was it let in?) of `total` logins."""
    with connection.makefile("rb") as received:
        count = 0
        while count < total:
            line = received.readline()
            if not line:
                raise ConnectionError("Dovecot hung up")
            verdict, *parts = line.rstrip(b"\n").split(b"\t")
            if verdict in {b"OK", b"FAIL"}:
                count += 1
                yield int(parts[0]), verdict == b"OK"
