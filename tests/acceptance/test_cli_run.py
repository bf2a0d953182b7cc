import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from dispatcher.protocol.sealing import generate_key
from tests.waiting import wait_until

NOWHERE = "redis://127.0.0.1:1/0"
NOT_UTF8 = os.fsdecode(b"\xff")
FIELDS = ["id", "outcome", "values", "error", "logs", "script", "queue_ms", "run_ms"]


def wait_for_file(path):
    wait_until(path.exists, 30.0)


@pytest.fixture
def run(lualoft, up_config, script):
    """Call a function of the test's script on the pool that is up."""
    return lambda *arguments, **options: lualoft("--config", up_config, "run", script, *arguments, **options)


def test_values_are_printed_one_per_line(run):
    assert (0, 'nil\ntrue\n1\n1.5\ntext\n\\xff\\n\n{"a":[1,2]}\n', "") == run("mixed")


def test_arguments_are_strings_and_json_arguments_keep_their_place(run):
    assert "a\n2\nb\n[true]\n" == run("echo", "a", "--arg-json", "2", "b", "--arg-json=[true]").out


def test_argument_behind_two_dashes_may_begin_with_a_dash(run):
    assert "--json\n-5\n" == run("echo", "--", "--json", "-5").out


def test_argument_that_is_not_utf_8_reaches_the_script_unchanged(run):
    assert "\\xff\n" == run("echo", os.fsdecode(b"\xff")).out


def test_log_lines_of_the_script_go_to_standard_error(run):
    assert (0, "true\n", "info: hello\nerror: second\n") == run("log", "hello")


def test_json_prints_exactly_one_object(run, script):
    (found,) = run("log", "--json", "hello").objects()
    assert FIELDS == list(found)
    assert ("ok", [True], "", str(script)) == (
        found["outcome"],
        found["values"],
        found["error"],
        found["script"]["name"],
    )
    assert [{"level": "info", "text": "hello"}, {"level": "error", "text": "second"}] == found["logs"]


def test_bytes_that_are_not_utf_8_are_base64_in_json_both_ways(run):
    (found,) = run("echo", "--json", "--arg-json", '{"base64": "/w=="}').objects()
    assert [{"base64": "/w=="}] == found["values"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        pytest.param(["fail"], 1, "script_error", id="script error"),
        pytest.param(["nothing"], 1, "no_such_function", id="no such function"),
        pytest.param(["echo", "--arg-json", "18446744073709551615"], 1, "rejected", id="argument that cannot travel"),
        pytest.param(["echo", "--queue", "nobody", "--deadline-s", "0.3"], 75, "unavailable", id="no worker"),
    ],
)
def test_exit_code_and_outcome_of_a_call_that_failed(run, arguments, code, kind):
    plain = run(*arguments)
    (found,) = run(*arguments, "--json").objects()
    assert (code, "", kind) == (plain.code, plain.out, found["outcome"])
    assert f"lualoft: {kind}: {found['error']}\n" == plain.err


def test_script_that_does_not_load_is_told_with_file_and_line(lualoft, up_config, write):
    path = write("broken.lua", "local a =\n= 1")
    result = lualoft("--config", up_config, "run", path, "f")
    assert (1, "") == (result.code, result.out)
    assert f"load_error: lua_load({path}) failed: " in result.err
    # Lua shortens a long path at its front.
    assert "broken.lua:2: unexpected symbol" in result.err


def test_script_may_come_from_standard_input(lualoft, up_config):
    result = lualoft("--config", up_config, "run", "-", "f", stdin="function f() error('here') end")
    assert 1 == result.code
    assert '[string "stdin"]:1: here' in result.err


def test_script_may_be_a_name_of_the_settings(lualoft, up_config, write, script):
    config = write("named.toml", f'{up_config.read_text()}\n[scripts.mine]\nfile = "{script}"\n')
    assert (0, "7\n", "") == lualoft("--config", config, "run", "mine", "echo", "--arg-json", "7")


def test_settings_reach_script_init(lualoft, up_config, write):
    path = write("init.lua", "local got\nfunction script_init(s) got = s return 0 end\nfunction f() return got.a end")
    assert "1=2\n" == lualoft("--config", up_config, "run", path, "f", "-x", "a=1=2").out


def test_dialect_and_lua_are_chosen_by_options(lualoft, up_config, write):
    path = write("version.lua", "function f() return _VERSION end")
    assert "Lua 5.1\n" == lualoft("--config", up_config, "run", path, "f", "--lua", "5.1", "--dialect", "2.3").out


def test_without_a_redis_everything_is_started_and_removed(lualoft, script):
    result = lualoft("run", script, "add", "--arg-json", "1", "--arg-json", "2")
    assert (0, "3\n", "") == result


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["missing.lua", "f"], 2, "access(missing.lua) failed: No such file or directory", id="no file"),
        pytest.param(["missing", "f"], 2, "there is no script 'missing'; known scripts: none", id="no name"),
        pytest.param(["/", "f"], 2, "access(/) failed: Is a directory", id="directory"),
        pytest.param(["SCRIPT", "f", "--arg-json", "{"], 2, "argument 1 is not JSON", id="bad JSON"),
        pytest.param(["SCRIPT", "f", "--arg-json"], 2, "requires an argument", id="JSON is missing"),
        pytest.param(["--arg-json", "1", "SCRIPT", "f"], 2, "write it behind SCRIPT and FUNCTION", id="JSON too early"),
        pytest.param(["SCRIPT", "f", "-x", "secret"], 2, "a setting is written KEY=VALUE", id="bad setting"),
        pytest.param(["SCRIPT", "f", "--config", "x"], 2, "--config stands before the sub-command", id="misplaced"),
        pytest.param(["SCRIPT", "f", "--deadline-s", "-1"], 2, "-1.0 is not in the range", id="deadline below 0"),
        pytest.param(["SCRIPT", "f", "--deadline-s", "0"], 2, "0.0 is not in the range", id="deadline 0"),
        pytest.param(["SCRIPT", "f", "--deadline-s", "nan"], 2, "nan is not a number", id="deadline nan"),
        pytest.param(["SCRIPT", "f", "--deadline-s", "86401"], 2, "not in the range", id="deadline beyond a day"),
        pytest.param(["", "f"], 2, "SCRIPT is empty", id="empty script"),
        pytest.param(["SCRIPT", NOT_UTF8], 2, "a name is UTF-8 text", id="function not UTF-8"),
        pytest.param(["SCRIPT", "f", "-x", f"a={NOT_UTF8}"], 2, "a setting is UTF-8 text", id="setting not UTF-8"),
        pytest.param(["SCRIPT", "f", "-x", f"{NOT_UTF8}=1"], 2, "a setting is UTF-8 text", id="its name not UTF-8"),
        pytest.param(
            ["SCRIPT", "f", "--arg-json", "[" * 900 + "]" * 900], 2, "not JSON: nests too deep", id="JSON too deep"
        ),
        pytest.param(["/dev/zero", "f"], 2, "access(/dev/zero) failed: Is not a regular file", id="device"),
        pytest.param(["SCRIPT"], 2, "Missing argument 'FUNCTION'", id="no function"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(lualoft, script, arguments, code, told):
    result = lualoft("run", *[str(script) if argument == "SCRIPT" else argument for argument in arguments])
    assert (code, "") == (result.code, result.out)
    assert told in result.err
    assert "secret" not in result.err


@pytest.mark.parametrize(
    ("options", "variables", "code", "told"),
    [
        pytest.param(["--redis-url", "http://x"], {}, 78, "redis.url (command line): its scheme is none", id="scheme"),
        pytest.param(["--redis-url", NOWHERE], {}, 78, "needs a key to seal messages with", id="no key"),
        pytest.param(["--redis-url", NOWHERE], {"LUALOFT_KEY": generate_key()}, 75, "is not available", id="no Redis"),
        pytest.param(["--config", "missing.toml"], {}, 78, "No such file", id="no settings file"),
        pytest.param([], {"LUALOFT_REDIS_ULR": "x"}, 78, "did you mean LUALOFT_REDIS_URL?", id="unknown variable"),
        pytest.param([], {"LUALOFT_KEY": "short"}, 78, "key number 1 is not a key", id="bad key"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(lualoft, script, options, variables, code, told):
    result = lualoft(*options, "run", script, "echo", **variables)
    assert (code, "") == (result.code, result.out)
    assert told in result.err


def test_settings_file_with_a_syntax_error_is_told_with_its_line(lualoft, write, script):
    path = write("bad.toml", "[redis]\nurl = \n")
    result = lualoft("--config", path, "run", script, "echo")
    assert 78 == result.code
    assert "line 2" in result.err


def test_json_is_printed_even_when_there_is_no_redis(lualoft, script):
    result = lualoft("--redis-url", NOWHERE, "run", script, "echo", "--json", LUALOFT_KEY=generate_key())
    (found,) = result.objects()
    assert (75, "unavailable") == (result.code, found["outcome"])


def test_script_may_be_a_process_substitution(lualoft, up_config):
    read_end, write_end = os.pipe()
    os.write(write_end, b"function f() return 5 end")
    os.close(write_end)
    path = f"/proc/{os.getpid()}/fd/{read_end}"
    assert (0, "5\n", "") == lualoft("--config", up_config, "run", path, "f")
    os.close(read_end)


def test_script_pipe_into_which_nobody_writes_is_told(lualoft, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = lualoft("run", tmp_path / "pipe", "f")
    assert (2, f"lualoft: access({tmp_path}/pipe) failed: Is a pipe into which nobody writes\n") == (
        result.code,
        result.err,
    )


def test_endless_standard_input_as_a_script_is_told(start):
    with Path("/dev/zero").open("rb") as zero:
        result = start("run", "-", "f", stdin=zero).end()
    assert (2, "lualoft: access(standard input) failed: is larger than 67108864 bytes\n") == (result.code, result.err)


@pytest.mark.parametrize(
    ("redirection", "arguments"),
    [
        pytest.param("<&-", ["-", "f"], id="script from closed input"),
        pytest.param("2>&-", [], id="usage without standard error"),
        pytest.param("2>/dev/full", [], id="usage with full standard error"),
    ],
)
def test_missing_standard_stream_is_wrong_use_and_not_a_failure(start, redirection, arguments):
    result = start("run", *arguments, redirection=redirection).end()
    assert (2, "") == (result.code, result.out)


def test_server_that_is_no_redis_is_a_temporary_failure(lualoft, script, http_url):
    result = lualoft("--redis-url", http_url, "run", script, "echo", LUALOFT_KEY=generate_key())
    assert 75 == result.code
    assert "does not answer as expected (InvalidResponse" in result.err


def test_too_few_descriptors_are_told_in_a_sentence(start, script):
    result = start("run", script, "echo", limits="ulimit -n 8").end()
    assert (75, "") == (result.code, result.out)
    assert "Too many open files" in result.err


def test_full_disk_is_told_in_a_sentence(start, up_config, script):
    with Path("/dev/full").open("wb") as full:
        result = start("--config", up_config, "run", script, "echo", "x", stdout=full).end()
    assert (75, "lualoft: cannot write the output: No space left on device\n") == (result.code, result.err)


def test_reader_that_goes_away_ends_the_command_quietly(start, up_config, script):
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = start("--config", up_config, "run", script, "lines", stdout=write_end)
    os.close(write_end)
    assert (141, "") == (command.end().code, command.err)


def test_wrong_password_is_a_value_and_shows_nowhere(run):
    result = run("verify", "--arg-json", '{"user": "joe"}', "hunter2")
    assert (0, "0\n", "") == result


def test_password_does_not_show_in_a_failure(run):
    result = run("fail", "hunter2")
    assert 1 == result.code
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_call_is_ended_quietly_by_a_signal(start, up_config, write, tmp_path, number):
    begun = tmp_path / "begun"
    path = write("wait.lua", f'function f() io.open("{begun}", "w"):close() for _ = 1, 3e7 do end end')
    command = start("--config", up_config, "run", path, "f")
    wait_for_file(begun)
    assert (128 + number, "") == (command.end(number).code, command.out)


def test_ctrl_c_of_a_terminal_ends_the_workers_of_a_run_too(start, write, tmp_path):
    begun = tmp_path / "begun"
    path = write("wait.lua", f'function f() io.open("{begun}", "w"):close() for _ = 1, 3e7 do end end')
    command = start("run", path, "f")
    wait_for_file(begun)
    assert (130, "") == (command.end_like_a_terminal().code, command.out)
    with pytest.raises(ProcessLookupError):
        os.killpg(command.process.pid, 0)


def test_help_leads_a_newcomer(lualoft):
    result = lualoft("--help")
    assert 0 == result.code
    assert "lualoft demo" in result.out
    assert "Exit codes:" in result.out


def test_version_is_that_of_the_distribution(lualoft):
    assert f"lualoft {version('lualoft')}\n" == lualoft("--version").out


def test_python_module_is_the_same_command():
    result = subprocess.run(
        [sys.executable, "-m", "dispatcher.cli.main", "keygen"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("lk1_")


def test_ctrl_c_does_not_wait_for_an_endless_call(start, write, tmp_path):
    begun = tmp_path / "begun"
    path = write("wait.lua", f'function f() io.open("{begun}", "w"):close() while true do end end')
    command = start("run", path, "f")
    wait_for_file(begun)
    command.process.send_signal(signal.SIGINT)
    # Far less than any grace.
    assert 130 == command.process.wait(5.0)
    with pytest.raises(ProcessLookupError):
        os.killpg(command.process.pid, 0)
