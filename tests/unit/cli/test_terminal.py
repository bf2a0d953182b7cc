import json

import pytest

from dispatcher.cli import exit_codes
from dispatcher.cli.app import _unforeseen
from dispatcher.cli.terminal import safe_json, safe_line, safe_text


def test_text_keeps_its_lines_and_loses_what_steers_a_terminal():
    assert "a\n\tb\\x1b[2J\\r" == safe_text("a\n\tb\x1b[2J\r")


def test_line_stays_one_line():
    assert "a\\n\\tb\\x9b\\x7f" == safe_line("a\n\tb\x9b\x7f")


def test_safe_json_is_printable_and_means_the_same():
    value = {"a\x9b": "\x1b\x7f\x85"}
    assert safe_json(value).isprintable()
    assert value == json.loads(safe_json(value))


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        pytest.param(ValueError("hunter2"), exit_codes.INTERNAL, "internal error: ValueError;", id="mistake of ours"),
        pytest.param(OSError(24, "Too many open files"), exit_codes.TEMPORARY, "Too many open files", id="shortage"),
        pytest.param(OSError(2, "hunter2"), exit_codes.INTERNAL, "internal error: FileNotFoundError", id="system"),
        pytest.param(MemoryError(), exit_codes.TEMPORARY, "out of memory", id="memory"),
    ],
)
def test_last_resort_is_a_sentence_without_values(capsys, error, code, told):
    assert code == _unforeseen(error, is_verbose=False)
    shown = capsys.readouterr().err
    assert told in shown
    assert "hunter2" not in shown


def test_last_resort_shows_the_traceback_when_asked(capsys):
    assert exit_codes.INTERNAL == _unforeseen(ValueError("x"), is_verbose=True)
    assert "ValueError: x" in capsys.readouterr().err
