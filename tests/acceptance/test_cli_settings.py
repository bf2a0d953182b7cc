import json
import os
from pathlib import Path

import pytest

from dispatcher.protocol.sealing import Seal, generate_key


def test_keygen_prints_a_key_and_nothing_else(lualoft):
    result = lualoft("keygen")
    assert (0, "") == (result.code, result.err)
    (key,) = result.out.splitlines()
    Seal.from_keys([key])


def test_keygen_gives_another_key_every_time(lualoft):
    assert lualoft("keygen").out != lualoft("keygen").out


def test_full_disk_is_told_in_a_sentence(start):
    with Path("/dev/full").open("wb") as full:
        result = start("keygen", stdout=full).end()
    assert (75, "lualoft: cannot write the output: No space left on device\n") == (result.code, result.err)


@pytest.fixture
def config(write, script):
    return write(
        "lualoft.toml",
        f'[pool]\nworkers = 3\n[scripts.mine]\nfile = "{script}"\nsettings = {{ password = "hunter2" }}\n',
    )


def test_check_config_says_where_each_setting_came_from(lualoft, config):
    lines = lualoft("--config", config, "check-config", LUALOFT_LOG_LEVEL="debug").out.splitlines()
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert f"3  (file {config})" == shown["pool.workers"]
    assert '"debug"  (environment LUALOFT_LOG_LEVEL)' == shown["log.level"]
    assert "10.0  (default)" == shown["dispatch.deadline_s"]


def test_check_config_masks_every_secret(lualoft, config):
    key, url = generate_key(), "redis://joe:hunter2@redis.example:7000/1"
    for options in ([], ["--json"]):
        result = lualoft("--config", config, "--redis-url", url, "check-config", *options, LUALOFT_KEY=key)
        assert 0 == result.code
        assert "redis://redis.example:7000/1" in result.out
        assert "***" in result.out
        assert key not in result.out + result.err
        assert "hunter2" not in result.out + result.err


def test_check_config_json_has_value_and_origin(lualoft, config):
    (found,) = lualoft("--config", config, "check-config", "--json").objects()
    assert {"value": 3, "origin": f"file {config}"} == found["pool.workers"]
    assert {"password": "***"} == found["scripts.mine.settings"]["value"]


def test_check_config_tells_of_a_key_and_a_script_that_are_missing(lualoft, write):
    path = write("bad.toml", '[redis]\nurl = "redis://redis.example"\n[scripts.gone]\nfile = "gone.lua"\n')
    result = lualoft("--config", path, "check-config")
    assert 78 == result.code
    assert "needs a key" in result.err
    assert f"scripts.gone: access({path.parent / 'gone.lua'}) failed" in result.err
    assert "pool.workers" in result.out


def test_check_config_warns_of_what_may_not_be_meant(lualoft, write):
    key_file = write("key", generate_key())
    key_file.chmod(0o644)
    config = write("lualoft.toml", f'key_file = "{key_file}"\n[engine]\nmax_cpu_s = 60\n')
    result = lualoft("--config", config, "check-config")
    first, second = result.err.splitlines()
    assert 0 == result.code
    assert first.startswith(f"lualoft: warning: key_file {key_file} has mode 644: ")
    assert second.startswith("lualoft: warning: engine.max_cpu_s is 60 s and dispatch.deadline_s 10 s: ")


def test_check_config_names_an_unknown_setting(lualoft, write):
    result = lualoft("--config", write("bad.toml", "[pool]\nworker = 1\n"), "check-config")
    assert (78, "") == (result.code, result.out)
    assert "did you mean pool.workers?" in result.err


@pytest.mark.parametrize("command", [[], ["nothing"], ["--nothing"]])
def test_command_that_does_not_exist_is_wrong_use(lualoft, command):
    assert 2 == lualoft(*command).code


def test_settings_file_may_be_named_by_the_environment(lualoft, config):
    (found,) = lualoft("check-config", "--json", LUALOFT_CONFIG=str(config)).objects()
    assert json.dumps(3) == json.dumps(found["pool.workers"]["value"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("[pool]\nworkers = " + "9" * 5000, "holds a number with too many digits", id="5000 digits"),
        pytest.param("[pool]\nworkers = 0x" + "9" * 5000, "a number of type int is not allowed", id="5000 hex digits"),
        pytest.param("x = " + "[" * 5000 + "]" * 5000, "nests too deep", id="nested"),
        pytest.param('[scripts.x]\nfile = "s\\u0000"', "scripts.x.file", id="NUL in a script's path"),
        pytest.param('key_file = "s\\u0000"', "holds a NUL", id="NUL in the key's path"),
        pytest.param('[lua]\nscript_dirs = ["\\u0000"]', "holds a NUL", id="NUL in a folder"),
        pytest.param("[scripts.x]\nmax_memory_bytes = 1048575", "from 1048576 to", id="memory cap too small"),
        pytest.param("#" * (1024 * 1024 + 1), "Is larger than 1048576 bytes", id="too large"),
    ],
)
@pytest.mark.parametrize("command", [["check-config"], ["run", "x", "f"]], ids=["check-config", "run"])
def test_settings_file_that_cannot_be_used_is_told(lualoft, write, command, text, told):
    result = lualoft("--config", write("bad.toml", text), *command)
    assert (78, "") == (result.code, result.out)
    assert told in result.err


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        pytest.param("LUALOFT_REDIS_URL", "redis://h/" + "9" * 5000, "the database is not a number", id="database"),
        pytest.param("LUALOFT_REDIS_URL", "redis://h:" + "9" * 5000, "a port is not a number", id="port"),
        pytest.param("LUALOFT_LUA_PATH", os.fsdecode(b"\xff"), "is not UTF-8 text", id="path not UTF-8"),
        pytest.param("LUALOFT_KEY_FILE", os.fsdecode(b"\xff"), "is not UTF-8 text", id="key file not UTF-8"),
        pytest.param("LUALOFT_KEY_FILE", "/dev/zero", "Is not a regular file", id="key from a device"),
        pytest.param("LUALOFT_CONFIG", "/dev/zero", "Is not a regular file", id="settings from a device"),
    ],
)
@pytest.mark.parametrize("command", [["check-config", "--json"], ["run", "x", "f"]], ids=["check-config", "run"])
def test_variable_that_cannot_be_used_is_told(lualoft, command, variable, value, told):
    result = lualoft(*command, **{variable: value})
    assert (78, "") == (result.code, result.out)
    assert told in result.err


def test_key_file_that_is_a_pipe_is_refused_at_once(lualoft, tmp_path):
    os.mkfifo(tmp_path / "key")
    assert "Is not a regular file" in lualoft("check-config", LUALOFT_KEY_FILE=str(tmp_path / "key")).err


def test_settings_file_may_have_a_name_that_is_not_utf_8(lualoft, write):
    path = write(os.fsdecode(b"\xff.toml"), "[pool]\nworkers = 3\n")
    (found,) = lualoft("--config", path, "check-config", "--json").objects()
    assert found["pool.workers"]["origin"].endswith("\\xff.toml")
