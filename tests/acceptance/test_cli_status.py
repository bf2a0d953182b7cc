import json
import signal

import pytest


def test_status_shows_queues_workers_and_totals(lualoft, up_config):
    lines = lualoft("--config", up_config, "status").out.splitlines()
    assert lines[0].startswith("Redis at unix:///")
    assert "QUEUE    WAITING CHUNKS  RUNNING  FAILED" == lines[1]
    assert lines[-1].startswith("2 workers, ")


def test_status_json_is_one_object(lualoft, up_config, script):
    lualoft("--config", up_config, "run", script, "echo")
    (found,) = lualoft("--config", up_config, "status", "--json").objects()
    assert ["redis", "totals", "queues", "workers"] == list(found)
    assert (2, "default") == (found["totals"]["workers"], found["queues"][0]["name"])
    assert sum(worker["chunks"] for worker in found["workers"]) >= 1
    assert all(worker["rss_bytes"] > 0 for worker in found["workers"])


def test_status_finds_the_up_of_this_user(lualoft, up_config):
    (found,) = lualoft("status", "--json", XDG_RUNTIME_DIR=str(up_config.parent.parent)).objects()
    assert 2 == found["totals"]["workers"]


def test_status_without_anything_to_look_at_is_a_settings_error(lualoft):
    result = lualoft("status")
    assert (78, "") == (result.code, result.out)
    assert "no `lualoft up` of this user runs" in result.err


def test_status_of_a_redis_without_workers_says_so(lualoft, redis_url):
    (found,) = lualoft("--redis-url", f"{redis_url}?db=9", "status", "--json").objects()
    assert ([], []) == (found["queues"], found["workers"])
    assert (
        "no worker runs: start one with `lualoft worker`\n" in lualoft("--redis-url", f"{redis_url}?db=9", "status").out
    )


def test_redis_that_is_not_there_is_a_temporary_failure_without_the_password(lualoft):
    result = lualoft("status", LUALOFT_REDIS_URL="redis://joe:hunter2@127.0.0.1:1")
    assert 75 == result.code
    assert "Redis at redis://127.0.0.1:1/0 is not available (Connection refused)" in result.err
    assert "hunter2" not in result.err


@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "tables"])
def test_watch_looks_again_and_again_until_ctrl_c(start, up_config, options):
    command = start("--config", up_config, "status", "--watch", *options)
    command.wait_for("2 workers, " if not options else '"workers":2')
    assert 130 == command.end(signal.SIGINT).code
    if options:
        assert all(json.loads(line) for line in command.out.splitlines())
