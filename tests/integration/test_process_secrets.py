"""What the system lets others see of a pool and its workers: no key, no address with a password, no core dump."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool

SCRIPT = Script.from_stream(
    "secrets",
    b"""
    function check(password) return #password > 0 end
    function keep(text) kept = "x" .. text return kept end
    """,
)


def processes_of(pool):
    return [pool.pid, *children_of(pool.pid)]


@pytest.fixture(scope="module")
def pids(pool):
    return processes_of(pool)


def test_pool_and_workers_have_titles_without_secrets(pids, settings):
    assert 3 == len(pids)
    for pid in pids:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert settings.key.reveal() not in title
        assert settings.redis.url.reveal() not in title
        assert "workers" in title


def test_environment_of_workers_holds_no_setting(own, monkeypatch):
    monkeypatch.setenv("LUALOFT_KEY", own.key.reveal())
    with LocalPool(own) as pool:
        for pid in processes_of(pool):
            assert b"LUALOFT_" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_pool_and_workers_write_no_core_file(pids):
    for pid in pids:
        (limit,) = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line]
        assert ["0", "0"] == limit.split()[4:6]


def test_commands_of_scripts_inherit_no_descriptor_of_the_worker(dispatcher, tmp_path):
    shown = tmp_path / "descriptors"
    script = Script.from_stream("command", b"function f(path) os.execute('ls -l /proc/self/fd >' .. path) end")
    assert dispatcher.call(script, "f", str(shown), deadline_s=20).is_ok
    numbers = [line.partition(" -> ")[0].split()[-1] for line in shown.read_text().splitlines() if " -> " in line]
    # 3 is how ls reads the folder.
    assert ["0", "1", "2", "3"] == numbers


def test_process_that_forbids_core_dumps_is_not_dumpable():
    # 3 is PR_GET_DUMPABLE of prctl(2).
    code = (
        "import ctypes\nfrom workers.core_dumps import forbid_core_dumps\nget = ctypes.CDLL(None).prctl\n"
        "before = get(3, 0, 0, 0, 0)\nforbid_core_dumps()\nprint(before, get(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1 0" == done.stdout.strip()


def copies_in(pid, needle):
    """Count a byte string in the memory of a process that it may write to."""
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            places, rights, *_ = line.split()
            if "rw" in rights:
                start, end = (int(place, 16) for place in places.split("-"))
                memory.seek(start)
                found += memory.read(end - start).count(needle)
    return found


def test_worker_keeps_no_password_of_calls_that_were_answered(own):
    # Put together here, so that no module of a forked child holds them.
    half, password = "".join(reversed("jihgfedcba")), "".join(reversed("gnol dna terces yrev"))
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        assert [True] == dispatcher.call(SCRIPT, "check", password, deadline_s=20).values
        worker = processes_of(pool)[1]
        # Other calls take the memory that it has let go of.
        others = [dispatcher.submit(SCRIPT, "check", [f"another password {number}"]) for number in range(3000)]
        assert {True} == {call.result(timeout=30).values[0] for call in others}
        assert 0 == copies_in(worker, password.encode())
        # The look itself would find one.
        kept = dispatcher.submit(SCRIPT, "keep", [half], deadline_s=20)
        assert [b"x" + half.encode()] == kept.result(timeout=30).values
        assert 0 < copies_in(worker, b"x" + half.encode())
