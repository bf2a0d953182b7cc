"""The README's commands and programs, run as a newcomer would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    (script,) = blocks("lua")
    (tmp_path / "hello.lua").write_text(script)
    return tmp_path


def run(command, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LUALOFT_")}
    environment["PATH"] = f"{BIN}:{environment['PATH']}"
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "block", [b for b in blocks("sh") if b.startswith(("lualoft", "printf"))], ids=lambda b: b[:30]
)
def test_command_of_the_readme_works(folder, block):
    done = run(["bash", "-euc", block], folder)
    assert (0, "") == (done.returncode, "".join(line for line in done.stderr.splitlines() if "Traceback" in line))


def test_first_command_prints_the_verdict_and_the_log_line(folder):
    done = run(["bash", "-euc", blocks("sh")[1]], folder)
    assert ["1.0", '{"user": "joe"}'] == done.stdout.splitlines() or '1.0\n{"user":"joe"}\n' == done.stdout
    assert "checking joe" in done.stderr


def test_python_example_prints_the_outcome(folder):
    (program,) = blocks("python")
    done = run([sys.executable, "-c", program], folder)
    assert (0, "ok [1.0, {b'user': b'joe'}]\n") == (done.returncode, done.stdout), done.stderr
