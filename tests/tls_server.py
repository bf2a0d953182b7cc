"""Redis servers and Sentinels of Debian's package that speak TLS, as the embedded server is built without it."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.certificates import Authority
from tests.debian import require_program
from tests.waiting import wait_until

#: Seconds until a server listens.
LIMIT_S = 20.0


def tls_lines(authority: Authority, certificate: tuple[Path, Path], port: int) -> list[str]:
    """Return the lines of a configuration that listens with TLS only and wants client certificates."""
    return [
        "port 0",
        f"tls-port {port}",
        "bind 127.0.0.1",
        f"tls-ca-cert-file {authority.file}",
        f"tls-cert-file {certificate[0]}",
        f"tls-key-file {certificate[1]}",
        "tls-auth-clients yes",
    ]


@contextlib.contextmanager
def running(folder: Path, port: int, lines: list[str], *, is_sentinel: bool = False) -> Iterator[subprocess.Popen]:
    """Run a server with a configuration of its own in an empty folder, until the body ends."""
    program = require_program("redis-server", package="redis-server")
    folder.mkdir()
    config = folder / "server.conf"
    config.write_text("\n".join([*lines, f"dir {folder}", *([] if is_sentinel else ['save ""'])]) + "\n")
    arguments = [program, config, *(["--sentinel"] if is_sentinel else [])]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_listening(port), limit_s=LIMIT_S)
            yield process
        finally:
            process.kill()


def is_listening(port: int) -> bool:
    """Tell whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
