import json
import os
import signal
import subprocess

import pytest

from tests.waiting import wait_until


@pytest.fixture
def batch(lualoft, up_config, script):
    """Run a batch over the test's script on the pool that is up, by default from stdin to stdout."""

    def run(function, *arguments, stdin=""):
        paths = arguments if "-o" in arguments else ("-", "-o", "-", *arguments)
        return lualoft("--config", up_config, "batch", script, function, *paths, stdin=stdin)

    return run


def json_lines(count, **fields):
    return "".join(json.dumps({"id": number, "args": [number], **fields}) + "\n" for number in range(1, count + 1))


def test_every_line_is_called_and_answered_in_order(batch):
    result = batch("echo", stdin=json_lines(3000))
    assert 0 == result.code
    found = [(line["line"], line["id"], line["outcome"], line["values"]) for line in result.objects()]
    assert [(number, number, "ok", [number]) for number in range(1, 3001)] == found


def test_unordered_answers_every_line_once(batch):
    result = batch("echo", "--unordered", stdin=json_lines(3000))
    assert list(range(1, 3001)) == sorted(line["id"] for line in result.objects())


def test_summary_stands_on_standard_error(batch):
    assert ", ok" not in (err := batch("echo", stdin=json_lines(2)).err)
    assert err.startswith("lualoft: 2 lines in ")
    assert err.endswith(": 2 ok\n")


def test_csv_columns_are_string_arguments_in_order(batch, write, tmp_path):
    path = write("calls.csv", 'first,id,second\na,1,"b,\nc"\nd,2,e\n')
    assert 0 == batch("echo", path, "-o", tmp_path / "out").code
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [(2, "1", ["a", "b,\nc"]), (4, "2", ["d", "e"])] == [
        (line["line"], line["id"], line["values"]) for line in found
    ]


def test_csv_bytes_that_are_not_utf_8_survive(batch):
    (found,) = batch("echo", "--format", "csv", stdin=b"id,a\n\xfe,\xff\n").objects()
    assert ({"base64": "/g=="}, [{"base64": "/w=="}]) == (found["id"], found["values"])


def test_base64_objects_are_bytes_in_json_lines(batch):
    (found,) = batch("echo", stdin='{"id": 1, "args": [{"base64": "/w=="}]}').objects()
    assert [{"base64": "/w=="}] == found["values"]


MALFORMED = [
    pytest.param(b'{"id": 1, "args": [', id="cut off"),
    pytest.param(b'{"id": 1, "args": {}}', id="arguments are no list"),
    pytest.param(b'{"id": 1}', id="no arguments"),
    pytest.param(b'{"id": 1, "args": [], "queue": "x"}', id="unknown field"),
    pytest.param(b'{"id": [], "args": []}', id="id is a list"),
    pytest.param(b'{"id": 1, "args": ["\xff"]}', id="not UTF-8"),
    pytest.param(b'{"id": 1, "args": [{"base64": "?"}]}', id="not base64"),
    pytest.param(b'{"id": 1, "args": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nests too deep"),
    pytest.param(b'{"id": 1, "args": ["' + b"x" * 7_000_000 + b'"]}', id="longer than the limit"),
]


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed_line_is_reported_with_its_number_and_the_rest_goes_on(batch, line):
    good = b'{"id": "good", "args": [1]}\n'
    result = batch("echo", stdin=good + line + b"\n" + good)
    first, rejected, last = result.objects()
    assert 1 == result.code
    assert {"line": 2, "id": None, "outcome": "rejected", "error": rejected["error"]} == rejected
    assert [(1, "ok"), (3, "ok")] == [(found["line"], found["outcome"]) for found in (first, last)]
    assert f"lualoft: line 2: {rejected['error']}\n" in result.err


@pytest.mark.parametrize(
    "argument",
    [pytest.param("18446744073709551615", id="integer too large"), pytest.param(f'"{"x" * 1_048_577}"', id="oversize")],
)
def test_line_whose_arguments_cannot_travel_is_rejected_under_its_id(batch, argument):
    result = batch("echo", stdin=f'{{"id": "a", "args": [{argument}]}}\n{{"args": []}}\n')
    rejected, good = result.objects()
    assert ("a", "rejected", "ok") == (rejected["id"], rejected["outcome"], good["outcome"])


@pytest.mark.parametrize("line", ["a", '1,"x"y', "1,2,3"], ids=["too few columns", "bad quotes", "too many columns"])
def test_malformed_csv_line_is_reported_and_the_rest_goes_on(batch, line):
    result = batch("echo", "--format", "csv", stdin=f"id,a\n0,0\n{line}\n9,9\n")
    assert [(2, "ok"), (3, "rejected"), (4, "ok")] == [(found["line"], found["outcome"]) for found in result.objects()]


def test_only_the_first_rejected_lines_are_named(batch):
    result = batch("echo", stdin="?\n" * 25)
    assert 10 == result.err.count("lualoft: line ")
    assert "lualoft: 15 more lines were rejected; the output has them\n" in result.err


def test_rejected_line_does_not_show_its_text(batch):
    result = batch("echo", stdin='{"args": ["hunter2"\n')
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(
    ("function", "code", "kind"),
    [("fail", 1, "script_error"), ("nothing", 1, "no_such_function")],
)
def test_calls_that_fail_are_outcomes(batch, function, code, kind):
    result = batch(function, stdin=json_lines(2))
    assert (code, [kind, kind]) == (result.code, [line["outcome"] for line in result.objects()])
    assert all(line["error"] for line in result.objects())


def test_outcomes_that_may_be_tried_again_give_75(batch):
    result = batch("echo", "--queue", "nobody", "--deadline-s", "0.3", stdin=json_lines(2))
    assert (75, ["unavailable", "unavailable"]) == (result.code, [line["outcome"] for line in result.objects()])


def test_log_lines_travel_in_the_output(batch):
    (found,) = batch("log", stdin='{"args": ["hello"]}').objects()
    assert [{"level": "info", "text": "hello"}, {"level": "error", "text": "second"}] == found["logs"]


def test_empty_input_gives_empty_output(batch):
    result = batch("echo")
    assert (0, "") == (result.code, result.out)


def test_byte_order_mark_and_windows_line_ends_are_no_trouble(batch):
    (found,) = batch("echo", stdin=b'\xef\xbb\xbf{"args": [1]}\r\n\r\n').objects()
    assert [1] == found["values"]


def test_outcome_is_written_while_the_producer_is_still_thinking(start, up_config, script):
    command = start("--config", up_config, "batch", script, "echo", "-", "-o", "-", stdin=subprocess.PIPE)
    for number in (1, 2):
        command.process.stdin.write(json_lines(1).encode())
        command.process.stdin.flush()
        wait_until(lambda: command.out.count("\n") == number)  # noqa: B023 - waited for within the turn
    command.process.stdin.close()
    assert 0 == command.end().code


def test_existing_output_is_not_overwritten(batch, write):
    calls, out = write("calls.jsonl", json_lines(1)), write("out", "precious")
    result = batch("echo", calls, "-o", out)
    assert (2, "precious") == (result.code, out.read_text())
    assert f"{out} exists; --force overwrites it" in result.err


def test_force_overwrites(batch, write):
    calls, out = write("calls.jsonl", json_lines(1)), write("out", "old\n" * 1000)
    assert 0 == batch("echo", calls, "-o", out, "--force").code
    assert 1 == len(out.read_text().splitlines())


def test_input_is_never_the_output(batch, write):
    calls = write("calls.jsonl", json_lines(1))
    assert 2 == batch("echo", calls, "-o", calls, "--force").code
    assert json_lines(1) == calls.read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["missing.jsonl", "-o", "-"], "missing.jsonl: No such file or directory", id="no input"),
        pytest.param(["/", "-o", "-"], "/: Is a directory", id="input is a directory"),
        pytest.param(["INPUT", "-o", "/"], "/: Is a directory", id="output is a directory"),
        pytest.param(["INPUT", "-o", "/missing/x"], "/missing/x: No such file or directory", id="no folder for output"),
        pytest.param(["INPUT"], "Missing option '-o'", id="no output"),
        pytest.param(["INPUT", "-o", "-", "--format", "csv"], "one of them must be 'id'", id="no column id"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(lualoft, up_config, script, write, arguments, told):
    path = str(write("calls.jsonl", json_lines(1)))
    given = [path if argument == "INPUT" else argument for argument in arguments]
    result = lualoft("--config", up_config, "batch", script, "echo", *given)
    assert (2, "") == (result.code, result.out)
    assert told in result.err


def test_script_and_input_cannot_both_be_standard_input(lualoft):
    assert "cannot both be standard input" in lualoft("batch", "-", "f", "-", "-o", "-").err


def test_full_disk_is_told_in_a_sentence(batch, write):
    result = batch("echo", write("calls.jsonl", json_lines(5)), "-o", "/dev/full")
    assert 75 == result.code
    assert "lualoft: cannot write /dev/full: No space left on device\n" in result.err


def test_reader_that_goes_away_ends_the_batch_quietly(start, up_config, script, write):
    read_end, write_end = os.pipe()
    calls = write("calls.jsonl", json_lines(100))
    command = start("--config", up_config, "batch", script, "lines", calls, "-o", "-", stdout=write_end)
    os.close(write_end)
    os.read(read_end, 1)
    os.close(read_end)
    assert 141 == command.end().code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("order", ["--ordered", "--unordered"])
def test_interrupted_batch_leaves_whole_lines(start, up_config, script, tmp_path, number, order):
    out = tmp_path / "out"
    command = start("--config", up_config, "batch", script, "echo", "-", "-o", out, order, stdin=subprocess.PIPE)
    command.process.stdin.write(json_lines(2000).encode())
    command.process.stdin.flush()
    wait_until(lambda: out.exists() and out.read_text().count("\n") >= 100)
    result = command.end(number)
    assert 128 + number == result.code
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert f"lualoft: {len(found):,} lines in " in result.err
    if order == "--ordered":
        assert list(range(1, len(found) + 1)) == [line["line"] for line in found]


def test_reader_that_has_stopped_reading_does_not_keep_a_batch_alive(start, up_config, script, write):
    read_end, write_end = os.pipe()
    calls = write("calls.jsonl", json_lines(1000))
    command = start("--config", up_config, "batch", script, "lines", calls, "-o", "-", stdout=write_end)
    os.close(write_end)
    os.read(read_end, 1)
    assert 130 == command.end(signal.SIGINT).code
    os.close(read_end)


def test_batch_starts_its_own_workers_without_a_redis(lualoft, script, write, tmp_path):
    calls = write("calls.jsonl", json_lines(100))
    result = lualoft("batch", script, "log", calls, "-o", tmp_path / "out", "--workers", "1")
    assert 0 == result.code
    # The workers' own log, where every call left two lines, is not shown.
    assert 1 == len(result.err.splitlines())


def test_password_of_a_login_is_in_no_output(batch):
    lines = '{"id": "a", "args": [{"user": "joe"}, "hunter2"]}\n' * 3
    for function in ("verify", "fail"):
        result = batch(function, stdin=lines)
        assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"], ids=["closed", "full"])
def test_batch_does_its_work_without_a_usable_standard_error(start, up_config, script, write, tmp_path, redirection):
    calls, out = write("calls.jsonl", "?\n" * 20 + json_lines(20)), tmp_path / "out"
    arguments = ("batch", script, "echo", calls, "-o", out)
    result = start("--config", up_config, *arguments, redirection=redirection).end()
    assert (1, "", 40) == (result.code, result.out, len(out.read_text().splitlines()))


def test_function_that_is_not_utf_8_is_wrong_use(lualoft, script, write):
    calls = write("calls.jsonl", json_lines(1))
    result = lualoft("batch", script, os.fsdecode(b"\xff"), calls, "-o", "-")
    assert (2, "") == (result.code, result.out)
    assert "a name is UTF-8 text" in result.err
