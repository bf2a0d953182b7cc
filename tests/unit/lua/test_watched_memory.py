"""The watch writes to the coroutine of the running call: never to one that Lua has freed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.lua.time_slice import SLICED_VERSIONS

ROOT = Path(__file__).parents[3]
LIMIT_S = 60

#: Freed memory is filled at once, so that whoever still uses it crashes; glibc leaves out what it keeps per thread.
FREED_MEMORY_IS_FILLED = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


@pytest.mark.parametrize("version", sorted(SLICED_VERSIONS))
def test_call_that_ran_out_of_memory_is_asked_no_more_once_its_coroutine_is_collected(version: str):
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.lua.failing_while_asked", version],
        cwd=ROOT,
        env={**os.environ, **FREED_MEMORY_IS_FILLED},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert 0 < int(done.stdout)
