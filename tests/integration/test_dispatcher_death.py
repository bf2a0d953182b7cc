"""What a dispatcher that was killed leaves in Redis, and for how long: docs/architecture.md states the times."""

import signal
import subprocess
import sys

import pytest

from dispatcher.catalog import Script
from dispatcher.client import KEEP_AFTER_DEADLINE_S
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.handoff import write_settings
from dispatcher.protocol.reply import STREAM_EXPIRES_S
from dispatcher.sender import PACKAGE_EXPIRES_S
from tests.waiting import wait_until

#: Seconds.
DEADLINE_S = 20

SCRIPT = Script.from_stream("death", b"function echo(...) return ... end")

#: Makes calls that nobody answers yet, says so, and waits to be killed.
CALLER = f"""
import asyncio, sys
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.protocol.handoff import read_settings

async def main():
    async with AsyncDispatcher(read_settings(sys.stdin.buffer)) as dispatcher:
        script = Script.from_stream("death", {SCRIPT.source!r})
        calls = [dispatcher.submit(script, "echo", [n], deadline_s={DEADLINE_S}) for n in range(100)]
        await asyncio.gather(*calls)
        print("answered", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def redis(own):
    with connect_sync(own.redis) as redis:
        yield redis


@pytest.fixture
def caller(own):
    process = subprocess.Popen([sys.executable, "-c", CALLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        write_settings(process.stdin, own)
        yield process
        process.kill()


def lives_s(redis, pattern):
    """For how many more seconds the keys live; -1: for ever."""
    return [redis.ttl(key) for key in redis.keys(pattern)]


def test_chunks_of_a_killed_dispatcher_that_nobody_took_go_a_minute_after_their_deadline(redis, caller):
    wait_until(lambda: redis.llen(keys.rq_queue("default")), limit_s=30)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    left_s = lives_s(redis, keys.rq_job("*"))
    assert left_s
    assert all(0 < one <= DEADLINE_S + KEEP_AFTER_DEADLINE_S for one in left_s)


def test_entries_of_the_queue_whose_chunks_are_gone_are_dropped_by_the_next_worker(own, redis, caller):
    wait_until(lambda: redis.llen(keys.rq_queue("default")), limit_s=30)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    redis.delete(*redis.keys(keys.rq_job("*")))
    with LocalPool(own):
        wait_until(lambda: not redis.exists(keys.rq_queue("default"), keys.rq_intermediate("default")))


def test_reply_stream_and_script_of_a_killed_dispatcher_expire(own, redis, caller):
    with LocalPool(own):
        assert b"answered\n" == caller.stdout.readline()
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        (stream_s,) = lives_s(redis, keys.reply_stream("*"))
        (script_s,) = lives_s(redis, keys.script_package("*"))
        assert 0 < stream_s <= STREAM_EXPIRES_S
        assert 0 < script_s <= PACKAGE_EXPIRES_S


def test_nothing_of_a_killed_dispatcher_and_its_pool_is_kept_for_ever_but_the_name_of_the_queue(own, redis, caller):
    with LocalPool(own):
        assert b"answered\n" == caller.stdout.readline()
        caller.send_signal(signal.SIGKILL)
        caller.wait()
    assert [b"rq:queues"] == [key for key in redis.keys("*") if redis.ttl(key) == -1]
