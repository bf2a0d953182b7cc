import os
import signal
import stat
from pathlib import Path

import pytest

from dispatcher.protocol.sealing import generate_key
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path_factory):
    """Runtime folder of one user."""
    return tmp_path_factory.mktemp("runtime")


@pytest.fixture
def up(start, folder):
    """A pool of one worker that was just started."""
    command = start("up", "--workers", "1", folder=folder)
    command.wait_for("stop    Ctrl-C")
    return command


def up_file(folder):
    return folder / "lualoft" / "up.toml"


def has_nobody_left(command):
    try:
        os.killpg(command.process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_up_says_how_to_call_it(up, folder):
    lines = up.out.splitlines()
    assert "lualoft is up: 1 workers on queue 'default'" == lines[0]
    assert lines[1].startswith("  redis   unix:///")
    assert f"  call    lualoft --config {up_file(folder)} run SCRIPT FUNCTION [ARG]..." == lines[2]


@pytest.mark.usefixtures("up")
def test_another_process_of_this_user_calls_through_the_file(folder, lualoft, script):
    assert (0, "x\n", "") == lualoft("--config", up_file(folder), "run", script, "echo", "x")


@pytest.mark.usefixtures("up")
def test_only_this_user_may_read_the_key(folder):
    path = up_file(folder)
    assert (0o600, 0o700) == (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))


def test_key_is_not_printed(up, folder):
    key = up_file(folder).read_text().split('"')[1]
    assert key.startswith("lk1_")
    assert key not in up.out + up.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_everything_with_code_0(up, folder, number):
    assert 0 == up.end(number).code
    assert not up_file(folder).exists()
    wait_until(lambda: has_nobody_left(up))


def test_ctrl_c_of_a_terminal_ends_everything_with_code_0(up):
    assert 0 == up.end_like_a_terminal().code
    wait_until(lambda: has_nobody_left(up))


def test_call_in_flight_is_answered_while_it_drains(up, folder, start, write, tmp_path):
    begun = tmp_path / "begun"
    path = write("wait.lua", f'function f() io.open("{begun}", "w"):close() for _ = 1, 2e7 do end return "done" end')
    call = start("--config", up_file(folder), "run", path, "f")
    wait_until(begun.exists)
    assert 0 == up.end(signal.SIGTERM).code
    assert (0, "done\n") == (call.end().code, call.out)


def test_second_signal_does_not_wait_for_an_endless_call(up, folder, start, write, tmp_path):
    begun = tmp_path / "begun"
    path = write("wait.lua", f'function f() io.open("{begun}", "w"):close() while true do end end')
    start("--config", up_file(folder), "run", path, "f")
    wait_until(begun.exists)
    up.process.send_signal(signal.SIGTERM)
    up.wait_for("draining;")
    up.wait_for("draining 1 workers")
    assert 0 == up.end(signal.SIGTERM).code
    wait_until(lambda: has_nobody_left(up))


def test_second_up_leaves_the_first_one_its_file(up, folder, start):
    before = up_file(folder).read_text()
    second = start("up", "--workers", "1", variables={"XDG_RUNTIME_DIR": str(folder)})
    second.wait_for("stop    Ctrl-C")
    assert f"up-{second.process.pid}.toml" in second.out
    assert 0 == second.end(signal.SIGTERM).code
    assert before == up_file(folder).read_text()
    assert up.process.poll() is None


def test_file_of_a_killed_up_is_told_to_be_stale_and_taken_over(up, folder, start, lualoft):
    socket = Path(up.out.split("unix://")[1].split()[0])
    up.process.kill()
    up.process.wait()
    wait_until(lambda: not socket.exists())
    result = lualoft("status", XDG_RUNTIME_DIR=str(folder))
    assert 75 == result.code
    assert "seems to be gone" in result.err
    second = start("up", "--workers", "1", variables={"XDG_RUNTIME_DIR": str(folder)})
    second.wait_for(f"--config {up_file(folder)} run")


def test_configured_redis_is_used_instead_of_a_private_one(start, redis_url, folder, lualoft, script):
    shared = {"LUALOFT_REDIS_URL": redis_url, "LUALOFT_KEY": generate_key()}
    command = start("up", "--workers", "1", "--queue", "shared", folder=folder, variables=shared)
    command.wait_for("stop    Ctrl-C")
    assert not up_file(folder).exists()
    assert "x\n" == lualoft("run", "--queue", "shared", script, "echo", "x", **shared).out
    assert 0 == command.end(signal.SIGTERM).code


def test_runtime_folder_that_others_may_write_to_is_refused(lualoft, tmp_path):
    (tmp_path / "lualoft").mkdir(mode=0o700)
    (tmp_path / "lualoft").chmod(0o777)
    result = lualoft("up", "--workers", "1")
    assert 1 == result.code
    assert "is not a folder that only this user can write to" in result.err
