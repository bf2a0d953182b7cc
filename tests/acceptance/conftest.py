"""What the tests of the real command share: running it, starting it, a pool that is up, scripts to call.

Every command runs in an environment without any LUALOFT_* variable and with a runtime folder of the test's own. None
may ever show a traceback, so that is asserted here, for all of them.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.waiting import wait_until

#: The command that is installed beside the interpreter which runs the tests.
COMMAND = shutil.which("lualoft", path=str(Path(sys.executable).parent))

#: Far beyond what any of these commands needs, in seconds.
LIMIT_S = 60.0

SCRIPT = """\
function echo(...) return ... end
function add(a, b) return a + b end
function log(text) dovecot.i_info(text) dovecot.i_error("second") return true end
function fail(text) error("it went wrong") end
function mixed() return nil, true, 1, 1.5, "text", "\\255\\n", { a = { 1, 2 } } end
function forever() while true do end end
function verify(request, password) return password == "right" and 1 or 0 end
function lines() return ("x"):rep(200000) end
"""


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    def objects(self) -> list:
        """Return standard output as lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment(runtime_dir, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LUALOFT_")}
    return {**kept, "XDG_RUNTIME_DIR": str(runtime_dir), "COLUMNS": "120", **variables}


def done(process, out, err):
    assert "Traceback" not in err, err
    return Done(process.returncode, out, err)


class Started:
    """A command that runs; its output goes to files, which may be looked at meanwhile."""

    def __init__(self, folder, arguments, variables, *, redirection="", limits=":", **options):
        """Start it, by way of a shell when that is to limit or redirect it."""
        self._out, self._err = folder / "out", folder / "err"
        shell = ["sh", "-c", f'{limits}; exec "$@" {redirection}', "sh"] if redirection or limits != ":" else []
        with self._out.open("wb") as out, self._err.open("wb") as err:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, **options}
            self.process = subprocess.Popen(
                [*shell, COMMAND, *arguments],
                stderr=err,
                env=environment(folder, **variables),
                start_new_session=True,
                **options,
            )

    @property
    def out(self):
        return self._out.read_text()

    @property
    def err(self):
        return self._err.read_text()

    def wait_for(self, text):
        """Wait until the text is on standard output or standard error."""
        wait_until(lambda: text in self.out + self.err or self.process.poll() is not None, LIMIT_S)
        assert text in self.out + self.err, self.err

    def end(self, number=None):
        """Send a signal, if any, and wait for the end."""
        if number is not None:
            self.process.send_signal(number)
        self.process.wait(LIMIT_S)
        return done(self.process, self.out, self.err)

    def end_like_a_terminal(self):
        """Send Ctrl-C to every process of the session's group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def lualoft(tmp_path):
    """Run a command to its end."""

    def run(*arguments, stdin="", **variables):
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        process = subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=data,
            capture_output=True,
            env=environment(tmp_path, **variables),
            timeout=LIMIT_S,
            check=False,
        )
        return done(process, process.stdout.decode(), process.stderr.decode())

    return run


@pytest.fixture
def start(tmp_path_factory):
    """Start a command and go on; it is killed at the end of the test if it still runs."""
    started = []

    def begin(*arguments, variables=None, folder=None, **options):
        folder = folder or tmp_path_factory.mktemp("started")
        command = Started(folder, [*map(str, arguments)], variables or {}, **options)
        started.append(command)
        return command

    yield begin
    for command in started:
        command.close()


@pytest.fixture(scope="session")
def up_config(tmp_path_factory):
    """Settings file of a pool of two workers that is up for the whole run."""
    folder = tmp_path_factory.mktemp("up")
    command = Started(folder, ["up", "--workers", "2"], {})
    try:
        command.wait_for("stop    Ctrl-C")
        yield folder / "lualoft" / "up.toml"
        assert 0 == command.end(signal.SIGTERM).code
    finally:
        command.close()


@pytest.fixture
def http_url():
    """A Redis address under which a web server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            # Ends with an error when the socket is shut down.
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def script(tmp_path):
    """Path of a script with one function per behaviour."""
    path = tmp_path / "script.lua"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
