import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.connection import (
    REDIS_ERRORS,
    REDIS_FULL,
    REDIS_GONE,
    connect_async,
    connect_sync,
    longest_block_ms,
    translated,
)
from dispatcher.protocol.errors import SettingsError, UnavailableError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.waiting import wait_until


def run_async(settings, *command, **options):
    async def run():
        async with connect_async(settings, **options) as client:
            with translated(settings):
                return await client.execute_command(*command)

    return asyncio.run(run())


def run_sync(settings, *command, **options):
    with connect_sync(settings, **options) as client, translated(settings):
        return client.execute_command(*command)


#: Counts its runs in KEYS[1], then works for ARGV[1] seconds.
COUNT_AND_WORK = Path(__file__).parent / "count_and_work.lua"

BOTH = pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "async"])


@pytest.fixture
def settings(redis_url):
    return RedisSettings(url=Secret(redis_url))


#: Addresses that some socket of this process wanted to reach, in order.
CONNECTS = []


def note_connect(event, arguments):
    if event == "socket.connect":
        CONNECTS.append(arguments[1])


@pytest.fixture(scope="session")
def connects():
    # An audit hook stays for ever, so there is one for the whole run; each test asks for its own path.
    sys.addaudithook(note_connect)
    return CONNECTS


@BOTH
def test_answers_are_bytes(run, settings):
    assert b"x\xff" == run(settings, "ECHO", b"x\xff")


@BOTH
def test_longest_block_ends_without_an_error(run, redis_url):
    settings = RedisSettings(url=Secret(redis_url), socket_timeout_s=2.5)
    assert run(settings, "BLPOP", "lualoft:nothing", longest_block_ms(settings) / 1000) is None


@BOTH
@pytest.mark.parametrize("url", ["unix:///nowhere/r.sock", "sentinel://127.0.0.1:1/svc?db=0"])
def test_redis_that_is_not_there_is_unavailable(run, url):
    settings = RedisSettings(url=Secret(url), max_backoff_s=0.01, connect_timeout_s=0.2)
    with pytest.raises(UnavailableError, match=f"Redis at {url.partition('?')[0]}.* is not available"):
        run(settings, "PING")


@BOTH
def test_redis_that_comes_late_is_waited_for(run, redis_url, tmp_path, connects):
    path = tmp_path / "late.sock"
    settings = RedisSettings(url=Secret(f"unix://{path}"), max_backoff_s=0.02)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(run, settings, "ECHO", "x", retry_count=5000)
        wait_until(lambda: connects.count(str(path)) > 1)
        path.symlink_to(redis_url.removeprefix("unix://"))
        assert b"x" == answer.result(10)


@BOTH
@pytest.mark.parametrize("retry_count", [0, 1, 2])
def test_connecting_is_tried_again_as_often_as_asked(run, tmp_path, connects, retry_count):
    path = tmp_path / "never.sock"
    settings = RedisSettings(url=Secret(f"unix://{path}"), max_backoff_s=0.01)
    with pytest.raises(UnavailableError, match="No such file or directory"):
        run(settings, "PING", retry_count=retry_count)
    assert retry_count + 1 == connects.count(str(path))


@BOTH
def test_refusal_of_a_password_is_a_settings_error_without_the_password(run, redis_url):
    settings = RedisSettings(url=Secret(redis_url + "?username=me&password=swordfish"))
    with pytest.raises(SettingsError, match="refuses the user name") as caught:
        run(settings, "PING")
    assert "swordfish" not in str(caught.value)


@BOTH
def test_answer_that_refuses_is_left_to_the_caller(run, settings):
    with pytest.raises(REDIS_ERRORS, match="unknown command") as caught:
        run(settings, "NOSUCHCOMMAND")
    assert not isinstance(caught.value, REDIS_GONE)


@BOTH
def test_full_redis_is_unavailable_and_named_as_full(run):
    with EmbeddedServer() as server:
        settings = RedisSettings(url=Secret(server.url))
        run(settings, "CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(UnavailableError) as caught:
            run(settings, "SET", "key", "value")
        assert isinstance(caught.value.__cause__, REDIS_FULL)


@BOTH
def test_command_whose_answer_was_lost_is_not_sent_again(run, redis_url):
    hasty = RedisSettings(url=Secret(redis_url), socket_timeout_s=0.2, max_backoff_s=0.01)
    counter = f"lualoft:runs:{run.__name__}"
    with pytest.raises(UnavailableError):
        run(hasty, "EVAL", COUNT_AND_WORK.read_text(), 1, counter, "0.6")
    assert b"1" == run(RedisSettings(url=Secret(redis_url)), "GET", counter)
