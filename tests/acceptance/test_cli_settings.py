import json
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
