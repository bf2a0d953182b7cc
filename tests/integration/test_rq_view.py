"""What RQ's own tools, and anyone who can read Redis, see of the pool."""

import subprocess
import sys

import pytest
from rq import Callback, Queue, Worker
from rq.job import Job

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

SCRIPT = Script.from_stream("view", b"function check(request, password) return password == 'tops3cret' end")


@pytest.fixture
def own():
    with EmbeddedServer() as server:
        yield Settings(
            key=Secret(generate_key()), redis=RedisSettings(url=Secret(server.url)), pool=PoolSettings(workers=2)
        )


def all_bytes(redis):
    """Everything that lies in Redis, as one byte string."""
    return b"\n".join(key + b"\n" + (redis.dump(key) or b"") for key in redis.keys("*"))


def test_nothing_of_a_queued_call_is_readable(own):
    with connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        future = dispatcher.submit(SCRIPT, "check", [{"user": "joe"}, "tops3cret"], deadline_s=30, idempotent=True)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        seen = all_bytes(redis)
        with LocalPool(own):
            assert [True] == future.result(timeout=30).values
    assert b"lualoft chunk" in seen
    for secret in (b"tops3cret", b"joe", b"check", b"function"):
        assert secret not in seen


def test_finished_calls_leave_nothing_but_the_script(own):
    with LocalPool(own), connect_sync(own.redis) as redis:
        with Dispatcher(own) as dispatcher:
            assert [True] == dispatcher.call(SCRIPT, "check", {}, "tops3cret").values
        left = (b"rq:job:", b"rq:results:", b"rq:execution", b"lualoft:reply", b"rq:wip", b"rq:queue:default:inter")
        wait_until(lambda: [] == [key for key in redis.keys("*") if key.startswith(left)])


def test_rq_lists_the_workers_and_what_they_did(own):
    with LocalPool(own), connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        for _ in range(10):
            dispatcher.call(SCRIPT, "check", {}, "x")

        def done():
            return sum(worker.successful_job_count for worker in Worker.all(connection=redis))

        wait_until(lambda: done() == 10)
        workers = Worker.all(connection=redis)
        assert [["default"], ["default"]] == [worker.queue_names() for worker in workers]
        wait_until(lambda: {"idle"} == {worker.get_state() for worker in Worker.all(connection=redis)})
        assert [0, 0] == [len(worker.get_current_executions()) for worker in workers]


def test_workers_that_stopped_are_no_longer_listed(own):
    with connect_sync(own.redis) as redis:
        with LocalPool(own):
            assert 2 == Worker.count(connection=redis)
        assert 0 == Worker.count(connection=redis)


def test_rq_info_runs_against_the_pool(own):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        dispatcher.call(SCRIPT, "check", {}, "x")
        info = subprocess.run(
            [sys.executable, "-m", "rq.cli", "info", "--url", own.redis.url.reveal()],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "2 workers, 1 queues" in info.stdout


def test_suspended_workers_take_nothing_until_they_are_resumed(own):
    from rq.suspension import resume, suspend

    with LocalPool(own), connect_sync(own.redis) as redis, Dispatcher(own) as dispatcher:
        suspend(redis)
        wait_until(lambda: {"suspended"} == {worker.get_state() for worker in Worker.all(connection=redis)})
        future = dispatcher.submit(SCRIPT, "check", [{}, "x"], deadline_s=30)
        wait_until(lambda: redis.llen(keys.rq_queue("default")) == 1)
        resume(redis)
        assert [False] == future.result(timeout=20).values


def test_job_of_plain_rq_is_refused_unread(own, tmp_path):
    """A pickled job that would run code does not: nothing is unpickled, nothing called."""
    proof = tmp_path / "ran"
    with LocalPool(own), connect_sync(own.redis) as redis:
        queue = Queue("default", connection=redis)
        job = queue.enqueue("os.mkdir", str(proof), on_failure=Callback("os.mkdir"))
        wait_until(lambda: not Job.exists(job.id, connection=redis))
    assert not proof.exists()
