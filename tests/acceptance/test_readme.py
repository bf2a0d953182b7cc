"""The README's commands and programs, run as a newcomer would run them."""

import sys

import pytest

from tests.acceptance.page import Page, run_command

README = Page("README.md")


@pytest.fixture
def folder(tmp_path):
    README.write_files(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "block", [b for b in README.sources("sh") if b.startswith(("lualoft", "printf"))], ids=lambda b: b[:30]
)
def test_command_of_the_readme_works(folder, block):
    done = run_command(["bash", "-euc", block], folder)
    assert (0, "") == (done.returncode, "".join(line for line in done.stderr.splitlines() if "Traceback" in line))


def test_first_command_prints_the_verdict_and_the_log_line(folder):
    done = run_command(["bash", "-euc", README.sources("sh")[1]], folder)
    assert ["1.0", '{"user": "joe"}'] == done.stdout.splitlines() or '1.0\n{"user":"joe"}\n' == done.stdout
    assert "checking joe" in done.stderr


def test_python_example_prints_the_outcome(folder):
    (program,) = README.sources("python")
    done = run_command([sys.executable, "-c", program], folder)
    assert (0, "ok [1.0, {b'user': b'joe'}]\n") == (done.returncode, done.stdout), done.stderr
