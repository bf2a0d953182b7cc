import sys
from pathlib import Path

import pytest

from tests.debian import require_program


def test_program_that_is_there_is_found(monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert sys.executable == require_program(Path(sys.executable).name, package="python3")


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="on a developer's machine"),
        pytest.param("true", pytest.fail.Exception, id="in CI"),
    ],
)
def test_missing_program_says_what_to_install(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="sudo apt-get install no-such-package"):
        require_program("no-such-program", package="no-such-package")
