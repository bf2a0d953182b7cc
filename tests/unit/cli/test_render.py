import pytest

from dispatcher.catalog import Script
from dispatcher.cli.render import print_human, print_json, value_text
from dispatcher.protocol.outcome import LogLine, Outcome, OutcomeKind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nil"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (1.0, "1.0"),
        (-0.5, "-0.5"),
        (b"", ""),
        ("grün".encode(), "grün"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\nb\tc\x1b[31m\x7f", "a\\nb\\tc\\x1b[31m\\x7f"),
        ("\x9b31m".encode(), "\\x9b31m"),
        ([1, b"a"], '[1,"a"]'),
        ({b"a": b"\xff", True: 2, 1.5: None}, '{"a":{"base64":"/w=="},"true":2,"1.5":null}'),
        ({b"a": "\x9b".encode()}, '{"a":"\\x9b"}'),
    ],
)
def test_value_is_shown_on_one_line(value, expected):
    assert expected == value_text(value)


def test_failed_outcome_goes_to_standard_error(capsys):
    print_human(Outcome(1, OutcomeKind.SCRIPT_ERROR, error="bad", logs=[LogLine("info", "hello")]))
    assert ("", "info: hello\nlualoft: script_error: bad\n") == tuple(capsys.readouterr())


def test_failed_outcome_cannot_steer_the_terminal(capsys):
    print_human(Outcome(1, OutcomeKind.SCRIPT_ERROR, error="\x1b[2J", logs=[LogLine("info", "\x07\x9b")]))
    assert ("", "info: \\x07\\x9b\nlualoft: script_error: \\x1b[2J\n") == tuple(capsys.readouterr())


def test_json_names_script_and_digest(capsys):
    script = Script.from_stream("stdin", b"return 1")
    print_json(Outcome(7, OutcomeKind.OK, [b"x"], queue_ms=1.23456), script)
    expected = (
        '{"id":7,"outcome":"ok","values":["x"],"error":"","logs":[],'
        f'"script":{{"name":"stdin","digest":"{script.digest}"}},"queue_ms":1.235,"run_ms":0.0}}\n'
    )
    assert expected == capsys.readouterr().out
