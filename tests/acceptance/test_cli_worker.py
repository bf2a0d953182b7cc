import signal

import pytest

from dispatcher.protocol.sealing import generate_key


def test_worker_without_a_redis_says_what_it_needs(lualoft):
    result = lualoft("worker")
    assert (78, "") == (result.code, result.out)
    assert "for one machine alone there is `lualoft up`" in result.err


def test_worker_without_a_key_says_what_it_needs(lualoft):
    result = lualoft("--redis-url", "redis://127.0.0.1:1", "worker")
    assert 78 == result.code
    assert "lualoft keygen" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_worker_answers_calls_until_a_signal_and_ends_with_0(start, lualoft, redis_url, script, number):
    shared = {"LUALOFT_REDIS_URL": redis_url, "LUALOFT_KEY": generate_key()}
    command = start("worker", "--workers", "1", "--queue", "own", variables=shared)
    command.wait_for("1 workers listen on queue own")
    assert (0, "x\n", "") == lualoft("run", "--queue", "own", script, "echo", "x", **shared)
    assert 0 == command.end(number).code


def test_call_sealed_with_another_key_is_rejected(start, lualoft, redis_url, script):
    command = start(
        "worker",
        "--workers",
        "1",
        "--queue",
        "locked",
        variables={"LUALOFT_REDIS_URL": redis_url, "LUALOFT_KEY": generate_key()},
    )
    command.wait_for("1 workers listen on queue locked")
    result = lualoft(
        "run", "--queue", "locked", script, "echo", LUALOFT_REDIS_URL=redis_url, LUALOFT_KEY=generate_key()
    )
    assert 1 == result.code
    assert "lualoft: rejected: " in result.err
    command.end(signal.SIGTERM)


def test_worker_warns_of_a_redis_that_keeps_nothing(start, redis_url):
    command = start(
        "worker", "--workers", "1", variables={"LUALOFT_REDIS_URL": redis_url, "LUALOFT_KEY": generate_key()}
    )
    command.wait_for("1 workers listen")
    assert 1 == command.err.count("calls are lost when it restarts; set appendonly yes")
    command.end(signal.SIGTERM)


def test_worker_warns_of_a_key_file_that_every_user_can_read(start, redis_url, write):
    key_file = write("key", generate_key())
    key_file.chmod(0o644)
    variables = {"LUALOFT_REDIS_URL": redis_url, "LUALOFT_KEY_FILE": str(key_file)}
    command = start("worker", "--workers", "1", variables=variables)
    command.wait_for("1 workers listen")
    assert 1 == command.err.count(f"key_file {key_file} has mode 644: every user of this machine can reach the key")
    command.end(signal.SIGTERM)


def test_status_shows_how_redis_may_lose_calls(lualoft, redis_url):
    (found,) = lualoft("--redis-url", f"{redis_url}?db=9", "status", "--json").objects()
    assert 1 == len(found["warnings"])
    out = lualoft("--redis-url", f"{redis_url}?db=9", "status").out
    assert "warning: Redis keeps nothing on disk" in out
