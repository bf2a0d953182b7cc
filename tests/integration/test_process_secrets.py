"""What the system lets others see of a pool and its workers: no key, no address with a password, no core dump."""

import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.local_pool import LocalPool


def processes_of(pool):
    children = Path(f"/proc/{pool.pid}/task/{pool.pid}/children").read_text().split()
    return [pool.pid, *map(int, children)]


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


def test_process_that_forbids_core_dumps_is_not_dumpable():
    # 3 is PR_GET_DUMPABLE of prctl(2).
    code = (
        "import ctypes\nfrom workers.core_dumps import forbid_core_dumps\nget = ctypes.CDLL(None).prctl\n"
        "before = get(3, 0, 0, 0, 0)\nforbid_core_dumps()\nprint(before, get(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "1 0" == done.stdout.strip()
