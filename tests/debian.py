"""Programs and files from Debian packages that tests need: a missing one skips a test locally and fails it in CI."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest


def require_program(program: str, *, package: str) -> str:
    """Return the path of a program, or end the test.

    Args:
        program: what to look for in PATH.
        package: the Debian package that holds it; `.ci/run` installs it.
    """
    # /usr/sbin: servers are there, and it is not in the PATH of an ordinary user.
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is not None:
        return path
    return _miss(program, package)


def require_file(pattern: str, *, package: str) -> Path:
    """Return the first file that matches a pattern below the root, or end the test; arguments as above."""
    for path in Path("/").glob(pattern.removeprefix("/")):
        return path
    return _miss(pattern, package)


def _miss(what: str, package: str) -> NoReturn:
    reason = f"{what} is missing: sudo apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (it has to be there when CI=true, add it to .ci/run)")
    pytest.skip(reason)
