import json
import signal

import pytest

from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings


def test_status_shows_queues_workers_and_totals(lualoft, up_config):
    lines = lualoft("--config", up_config, "status").out.splitlines()
    assert lines[0].startswith("Redis at unix:///")
    assert "QUEUE    WAITING CHUNKS  RUNNING  FAILED  REJECTED" == lines[1]
    assert lines[-1].startswith("2 workers, ")


def test_status_json_is_one_object(lualoft, up_config, script):
    lualoft("--config", up_config, "run", script, "echo")
    (found,) = lualoft("--config", up_config, "status", "--json").objects()
    assert ["redis", "totals", "queues", "workers", "pools", "parked_scripts", "warnings"] == list(found)
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


@pytest.fixture
def garbage(redis_url):
    """A database of its own, into which a test writes what should not be there; yields (address, client)."""
    address = f"{redis_url}?db=8"
    with connect_sync(RedisSettings(url=Secret(address))) as client:
        yield address, client
        client.flushdb()


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"[bold]x[/nope]", b"\x1b[31mred\x07", b"\x9b", "\x9b".encode()], ids=repr
)
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "tables"])
def test_names_from_redis_do_not_steer_the_terminal(lualoft, garbage, options, name):
    address, client = garbage
    client.sadd("rq:workers", b"rq:worker:" + name)
    client.sadd("rq:queues", b"rq:queue:" + name)
    client.hset(b"rq:worker:" + name, mapping={b"state": name, b"\xff": b"x", b"queues": name})
    result = lualoft("--redis-url", address, "status", *options)
    assert (0, "") == (result.code, result.err)
    assert result.out.replace("\n", "").isprintable()
    assert "1 workers, " in result.out or '"workers":1' in result.out


@pytest.mark.parametrize("number", [b"abc", b"nan", b"inf", b"-1", b"9" * 5000, b"1e300", b"\xff", b""], ids=len)
@pytest.mark.parametrize("options", [["--json"], []], ids=["json", "tables"])
def test_numbers_that_are_none_count_as_nothing(lualoft, garbage, options, number):
    address, client = garbage
    client.sadd("rq:workers", "rq:worker:w")
    client.hset("rq:worker:w", mapping={"state": "idle", "successful_job_count": number})
    stats = {"invocations": number, "rate_per_s": number, "rss_bytes": number, "outcome_ok": number}
    client.hset("lualoft:worker:w:stats", mapping=stats)
    assert 0 == lualoft("--redis-url", address, "status", *options).code


@pytest.mark.parametrize(
    ("members", "string"),
    [
        pytest.param({}, "rq:workers", id="workers"),
        pytest.param({"rq:workers": "rq:worker:w"}, "rq:worker:w", id="worker"),
        pytest.param({"rq:queues": "rq:queue:q"}, "rq:queue:q", id="queue"),
    ],
)
def test_keys_of_the_wrong_type_are_a_temporary_failure(lualoft, garbage, members, string):
    address, client = garbage
    for key, member in members.items():
        client.sadd(key, member)
    client.set(string, "x")
    result = lualoft("--redis-url", address, "status")
    assert (75, "") == (result.code, result.out)
    assert "does not answer as expected (ResponseError: " in result.err


def test_server_that_is_no_redis_is_a_temporary_failure(lualoft, http_url):
    result = lualoft("--redis-url", http_url, "status")
    assert (75, "") == (result.code, result.out)
    assert "does not answer as expected (InvalidResponse" in result.err
