"""Where the log lines of a call go, and how many of them."""

from types import SimpleNamespace

import pytest

from dispatcher.protocol.outcome import LogLine
from workers.call_log import MAX_WRITTEN_BYTES, MAX_WRITTEN_LINES, CallLog

MAX_LINES = 3


class Log:
    """A call log over lists."""

    def __init__(self):
        self.written = []
        self.call_log = CallLog(MAX_LINES, 5, lambda record, _name: self.written.append(record.message))
        self.task = SimpleNamespace(logs=None, line_count=0, log_bytes=0)
        self.call_log.enter(self.task)
        self.write = self.call_log.natives("auth.lua")["log"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, None), (1, ["line"]), (MAX_LINES, ["line"] * MAX_LINES)],
    ids=["none", "one", "as many as travel"],
)
def test_lines_travel_back_up_to_their_number(count, expected):
    log = Log()
    for _ in range(count):
        log.write(b"info", b"line")
    assert expected == (log.task.logs and [line.text for line in log.task.logs])


def test_one_line_too_many_is_replaced_by_a_note_and_written_all_the_same():
    log = Log()
    for _ in range(MAX_LINES + 5):
        log.write(b"info", b"line")
    assert MAX_LINES + 1 == len(log.task.logs)
    assert "left out" in log.task.logs[-1].text
    assert MAX_LINES + 5 == len(log.written)


def test_long_line_is_cut_on_its_way_back_only():
    log = Log()
    log.write(b"info", b"123456")
    assert [LogLine("info", "12345")] == log.task.logs
    assert [b"123456"] == log.written


@pytest.mark.parametrize("surplus", [0, 1, 100])
def test_a_loop_that_logs_does_not_fill_the_disk(surplus):
    log = Log()
    for _ in range(MAX_WRITTEN_LINES + surplus):
        log.write(b"info", b"line")
    assert MAX_WRITTEN_LINES + (surplus > 0) == len(log.written)
    if surplus:
        expected = f"has logged {MAX_WRITTEN_LINES} lines or {MAX_WRITTEN_BYTES} bytes; the rest is dropped"
        assert expected.encode() in log.written[-1]


def test_another_call_logs_on():
    log = Log()
    for _ in range(MAX_WRITTEN_LINES + 1):
        log.write(b"info", b"line")
    log.call_log.enter(SimpleNamespace(logs=None, line_count=0, log_bytes=0))
    log.write(b"info", b"other")
    assert b"other" == log.written[-1]


@pytest.mark.parametrize(
    "text",
    [b"\n" * MAX_WRITTEN_LINES, b"x" * MAX_WRITTEN_BYTES, b"\n" * (8 << 20)],
    ids=["lines", "bytes", "both"],
)
def test_one_text_does_not_fill_the_disk_either(text):
    log = Log()
    log.write(b"info", text)
    log.write(b"info", b"one more")
    assert 1 == len(log.written)
    assert b"the rest is dropped" in log.written[0]
    # What travels back is short anyway.
    assert [text[:5].decode(), "one m"] == [line.text for line in log.task.logs]


def test_prefix_of_an_event_counts_for_each_line_that_it_stands_before():
    log = Log()
    send = log.call_log.natives("auth.lua")["log_event"]
    is_source_wanted = False
    send(b"info", b"p" * 20_000, b"\n" * 1000, None, b"", 0, is_source_wanted, None)
    assert [True] == [b"the rest is dropped" in line for line in log.written]


def test_what_scripts_print_counts_as_logged():
    printed = []
    call_log = CallLog(MAX_LINES, 5, lambda _record, _name: None, print_line=printed.append)
    call_log.enter(SimpleNamespace(logs=None, line_count=0, log_bytes=0))
    write = call_log.natives("auth.lua")["print"]
    for _ in range(MAX_WRITTEN_LINES + 5):
        write(b"line")
    assert [b"line"] * MAX_WRITTEN_LINES == printed
