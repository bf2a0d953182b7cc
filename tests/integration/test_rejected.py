"""Jobs that are none of ours, or were put back, go to the rejected list; the worker goes on with the next one."""

import pickle

import pytest
from msgspec.structs import replace
from rq import Queue

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.cli.status_data import read_status
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.rejection import MAX_ENTRIES
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "rejected",
    b"""
    function ping() return "pong" end
    function append(path) local f = io.open(path, "a") f:write("x") f:close() return "ran" end
    """,
)
QUEUE = keys.rq_queue("default")


@pytest.fixture
def redis(own):
    with connect_sync(own.redis) as redis:
        yield redis


def queue_status(redis):
    (queue,) = [queue for queue in read_status(redis, "test").queues if queue.name == "default"]
    return queue


def put_job(redis, job_id, **fields):
    redis.hset(keys.rq_job(job_id), mapping=fields)
    redis.rpush(QUEUE, job_id)


def foreign_job(redis):
    Queue("default", connection=redis).enqueue(print, "swordfish")


FOREIGN = {
    "a plain RQ job": foreign_job,
    "a sealed look": lambda redis: put_job(redis, "abc-1", data=b"\x01" + bytes(200)),
    "no data": lambda redis: put_job(redis, "abc-2", status="queued"),
    "an empty id": lambda redis: redis.rpush(QUEUE, ""),
    "an id that is no text": lambda redis: redis.rpush(QUEUE, b"\xff\xfe"),
    "a megabyte of id": lambda redis: redis.rpush(QUEUE, "x" * 2**20),
    "a job of another type": lambda redis: (redis.set(keys.rq_job("abc-3"), "x"), redis.rpush(QUEUE, "abc-3")),
    "a pickle": lambda redis: put_job(redis, "abc-4", data=pickle.dumps(("swordfish",))),
}
#: Jobs whose hash has no data look like chunks that have expired, and are dropped without a note.
UNCOUNTED = {"no data"}


@pytest.mark.parametrize("kind", FOREIGN)
def test_job_that_is_none_of_ours_is_noted_down_and_the_worker_goes_on(own, redis, kind):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        FOREIGN[kind](redis)
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values
        expected = 0 if kind in UNCOUNTED else 1
        wait_until(lambda: expected == queue_status(redis).rejected_jobs)
        assert expected == len(queue_status(redis).rejections)
        wait_until(lambda: not redis.exists(keys.rq_intermediate("default")))
        assert b"swordfish" not in b"".join(redis.lrange(keys.rejected_list("default"), 0, -1))


def test_flood_of_foreign_jobs_leaves_a_bounded_list_that_expires(own, redis):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        for number in range(3 * MAX_ENTRIES):
            put_job(redis, f"evil-{number}", data=b"x" * 1000)
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=30).values
        assert 3 * MAX_ENTRIES == queue_status(redis).rejected_jobs
        assert MAX_ENTRIES == redis.llen(keys.rejected_list("default"))
        assert 0 < redis.ttl(keys.rejected_list("default"))
        assert 0 < redis.ttl(keys.rejected_count("default"))
        assert [] == redis.keys(keys.rq_job("evil-*"))


def put_back(redis, job_id, fields):
    redis.delete(keys.rq_job(job_id))
    put_job(redis, job_id, **fields)


def recorded_chunk(redis):
    (job_id,) = redis.lrange(QUEUE, 0, -1)
    fields = {name.decode(): value for name, value in redis.hgetall(keys.rq_job(job_id.decode())).items()}
    return job_id.decode(), fields


def test_chunk_that_is_put_back_after_it_ran_does_not_run_again(own, redis, tmp_path):
    path = tmp_path / "runs"
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=60)
        wait_until(lambda: redis.llen(QUEUE))
        recorded = recorded_chunk(redis)
        with LocalPool(own):
            assert [b"ran"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(keys.rq_job(recorded[0])))
            put_back(redis, *recorded)
            wait_until(lambda: 1 == queue_status(redis).rejected_jobs)
            assert 0 < redis.ttl(keys.rq_job(recorded[0]))
    assert "x" == path.read_text()


def test_chunk_that_is_put_back_is_refused_by_a_later_worker_too(own, redis, tmp_path):
    path = tmp_path / "runs"
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=60)
        wait_until(lambda: redis.llen(QUEUE))
        recorded = recorded_chunk(redis)
        with LocalPool(own):
            assert [b"ran"] == call.result(timeout=30).values
        put_back(redis, *recorded)
        with LocalPool(own):
            wait_until(lambda: 1 == queue_status(redis).rejected_jobs)
    assert "x" == path.read_text()


def test_worker_remembers_what_it_opened_when_somebody_deletes_the_note(own, redis, tmp_path):
    path = tmp_path / "runs"
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=60)
        wait_until(lambda: redis.llen(QUEUE))
        recorded = recorded_chunk(redis)
        with LocalPool(own):
            assert [b"ran"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(keys.rq_job(recorded[0])))
            redis.delete(*redis.keys(keys.opened_chunks("*", 0)))
            put_back(redis, *recorded)
            wait_until(lambda: 1 == queue_status(redis).rejected_jobs)
    assert "x" == path.read_text()


def test_note_of_an_opened_chunk_expires_with_its_deadline(own, redis):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping", deadline_s=100)
        (key,) = redis.keys(keys.opened_chunks("*", 0))
        assert 100 < redis.ttl(key) <= 160
        dispatcher.call(SCRIPT, "ping", deadline_s=500)
        assert 500 < redis.ttl(key) <= 560
        dispatcher.call(SCRIPT, "ping", deadline_s=1)
        assert 500 < redis.ttl(key) <= 560


def test_note_under_a_key_of_another_type_is_made_anew(own, redis):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "ping")
        (key,) = redis.keys(keys.opened_chunks("*", 0))
        # Finishing the call writes to it once more.
        wait_until(lambda: not redis.keys(keys.rq_job("*")))
        redis.delete(key)
        redis.lpush(key, "x")
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=10).values
        assert b"string" == redis.type(key)


def test_chunk_put_on_the_queue_twice_runs_once(own, redis, tmp_path):
    path = tmp_path / "runs"
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=60)
        wait_until(lambda: redis.llen(QUEUE))
        redis.rpush(QUEUE, *redis.lrange(QUEUE, 0, -1))
        with LocalPool(own):
            assert [b"ran"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(QUEUE) and not redis.exists(keys.rq_intermediate("default")))
    assert "x" == path.read_text()


def test_chunk_in_the_books_of_a_dead_worker_that_never_lived_does_not_run_again(own, redis, tmp_path):
    path = tmp_path / "runs"
    hasty = replace(own, pool=replace(own.pool, lease_s=4.0))
    with Dispatcher(own) as dispatcher:
        call = dispatcher.submit(SCRIPT, "append", [str(path)], deadline_s=60, idempotent=True)
        wait_until(lambda: redis.llen(QUEUE))
        job_id, fields = recorded_chunk(redis)
        with LocalPool(hasty):
            assert [b"ran"] == call.result(timeout=30).values
            wait_until(lambda: not redis.exists(keys.rq_job(job_id)))
            redis.hset(keys.rq_job(job_id), mapping=fields)
            redis.hset(keys.rq_worker("lualoft-evil"), "birth", "2026-01-01T00:00:00Z")
            redis.sadd(keys.rq_worker_executions("lualoft-evil"), f"{job_id}:{'0' * 32}")
            redis.sadd(keys.rq_queue_workers("default"), keys.rq_worker("lualoft-evil"))
            wait_until(lambda: not redis.exists(keys.rq_worker("lualoft-evil")), limit_s=30)
            assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values
            assert not redis.exists(keys.rq_job(job_id))
    assert "x" == path.read_text()
