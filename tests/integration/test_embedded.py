import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.errors import UnavailableError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.waiting import wait_until

PARENT = """
import sys
from dispatcher.embedded import EmbeddedServer

with EmbeddedServer() as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def socket_path(url):
    return Path(url.removeprefix("unix://"))


def ask(url, *command):
    with connect_sync(RedisSettings(url=Secret(url))) as client:
        return client.execute_command(*command)


def server_pid(url):
    return int(ask(url, "INFO", "server")["process_id"])


def parent_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_gone(pid):
    """Tell whether a process has ended; one that waits to be reaped by somebody else has."""
    try:
        return state_of(pid) == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def parent():
    """A process of its own that has started a server; yields (process, url)."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield process, process.stdout.readline().decode().strip()
    process.kill()
    process.communicate()


def test_server_answers_ping():
    with EmbeddedServer() as server:
        assert ask(server.url, "PING")


def test_directory_and_processes_are_gone_after_stop():
    with EmbeddedServer() as server:
        folder = socket_path(server.url).parent
        pid = server_pid(server.url)
        guardian = parent_of(pid)
        assert folder.is_dir()
    assert not folder.exists()
    assert is_gone(pid)
    assert is_gone(guardian)


def test_second_stop_does_nothing():
    server = EmbeddedServer()
    server.start()
    server.stop()
    server.stop()
    assert "EmbeddedServer(url='', is_running=False)" == repr(server)


def test_two_servers_do_not_meet():
    with EmbeddedServer() as one, EmbeddedServer() as other:
        ask(one.url, "SET", "key", "value")
        assert 0 == ask(other.url, "DBSIZE")


@pytest.mark.parametrize(
    ("name", "expected"),
    [(b"port", b"0"), (b"save", b""), (b"appendonly", b"no"), (b"maxmemory-policy", b"noeviction")],
)
def test_server_is_private_keeps_nothing_and_drops_nothing(redis_url, name, expected):
    assert {name: expected} == ask(redis_url, "CONFIG", "GET", name)


def test_only_this_user_may_reach_the_server(redis_url):
    path = socket_path(redis_url)
    assert (0o700, 0o700) == (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))


def test_server_is_out_of_reach_of_the_terminal(redis_url):
    assert os.getsid(server_pid(redis_url)) != os.getsid(0)


def test_nothing_is_left_when_the_parent_is_killed(parent):
    process, url = parent
    pid = server_pid(url)
    guardian = parent_of(pid)
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: is_gone(pid) and is_gone(guardian) and not socket_path(url).parent.exists())


def test_guardian_ends_when_its_server_dies():
    with EmbeddedServer() as server:
        folder = socket_path(server.url).parent
        os.kill(server_pid(server.url), signal.SIGKILL)
        wait_until(lambda: not server.is_running)
        assert not folder.exists()


def test_terminated_guardian_takes_its_server_along():
    with EmbeddedServer() as server:
        folder = socket_path(server.url).parent
        pid = server_pid(server.url)
        os.kill(parent_of(pid), signal.SIGTERM)
        wait_until(lambda: not server.is_running)
        assert is_gone(pid)
        assert not folder.exists()


def test_server_that_does_not_answer_in_time_is_unavailable_and_not_left_behind():
    server = EmbeddedServer(start_limit_s=0.0)
    with pytest.raises(UnavailableError, match="did not start within 0 s"):
        server.start()
    assert not server.is_running


def test_server_that_cannot_start_says_why(monkeypatch, tmp_path):
    # Longer than a unix socket's path may be.
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with pytest.raises(UnavailableError, match="did not start: "):
        EmbeddedServer().start()
    assert [] == list(folder.iterdir())


def test_server_that_was_only_stopped_goes_on():
    with EmbeddedServer() as server:
        pid = server_pid(server.url)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state_of(pid) == "T")
        os.kill(pid, signal.SIGCONT)
        assert ask(server.url, "PING")
        # The guardian, which had two signals of its server to look at, still tells this one from an end.
        assert server.is_running
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not server.is_running)


def test_stop_cleans_up_after_a_killed_guardian():
    server = EmbeddedServer()
    server.start()
    folder, pid = socket_path(server.url).parent, server_pid(server.url)
    os.kill(parent_of(pid), signal.SIGKILL)
    wait_until(lambda: not server.is_running)
    server.stop()
    wait_until(lambda: is_gone(pid))
    assert not folder.exists()
