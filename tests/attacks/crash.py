"""Attempts to end workers, or to keep them from working, for good."""

import time

from dispatcher.protocol import keys
from tests.attacks.field import CHECK, QUEUE
from tests.waiting import wait_until


def list_strange_names(field):
    for key in (keys.RQ_WORKERS, keys.rq_queue_workers("default"), keys.RQ_QUEUES):
        field.redis.sadd(key, b"\xff\xfe", "", "rq:worker:", "x" * 100_000, "rq:worker:gone")
    wait_until(lambda: 1 == field.redis.scard(keys.rq_queue_workers("default")), limit_s=20)
    field.redis.delete(keys.RQ_QUEUES)


def list_many_workers(field):
    for start in range(0, 20_000, 1000):
        field.redis.sadd(keys.rq_queue_workers("default"), *(f"rq:worker:{n}" for n in range(start, start + 1000)))
    assert [0] == field.check(password="wrong").values
    field.redis.delete(keys.rq_queue_workers("default"))


def put_strange_ids(field):
    ids = [b"", b"\xff", b"a:b", b" ", b"../../etc", b"evil-" + b"9" * 5000, b"x" * 1_000_000, b"a-1\r\nFLUSHALL\r\n"]
    field.redis.rpush(QUEUE, *ids)
    field.redis.lpush(keys.rq_intermediate("default"), *ids)


def put_jobs_without_a_chunk(field):
    for number in range(20):
        field.put_job(f"hollow-{number}", status="queued", junk=b"x" * 1000)


def put_jobs_of_other_types(field):
    field.redis.set(keys.rq_job("evil-4"), "text")
    field.redis.sadd(keys.rq_job("evil-5"), "set")
    field.redis.rpush(QUEUE, "evil-4", "evil-5")


def spoil_queue_keys(field):
    spoil(field, QUEUE, keys.rq_intermediate("default"), keys.RQ_QUEUES)


def spoil_worker_keys(field):
    worker = field.worker
    spoil(
        field,
        keys.RQ_WORKERS,
        keys.rq_queue_workers("default"),
        keys.rq_worker(worker),
        keys.rq_worker_executions(worker),
        keys.worker_stats(worker),
        keys.rq_started_registry("default"),
    )


def spoil_own_books(field):
    spoil(field, keys.rejected_list("default"), keys.rejected_count("default"), keys.PARKED_SCRIPTS, keys.POOLS)
    field.put_job("evil-6", data=b"x" * 100)


def spoil(field, *names):
    for name in names:
        field.redis.delete(name)
        field.redis.pfadd(name, "x")
        if field.redis.type(name) == b"string" and name == keys.rejected_count("default"):
            field.redis.delete(name)
            field.redis.rpush(name, "x")


def park_script(field):
    field.redis.delete(keys.PARKED_SCRIPTS)
    package_id, later_s = CHECK.packed[0].hex(), time.time() + 60
    entry = f'[{later_s}, 60.0, "check"]'
    for value in (entry, f"{'00' * 49} {entry}", f" {entry}", "\xff"):
        field.redis.hset(keys.PARKED_SCRIPTS, package_id, value)
        # By then each worker has read it.
        seen = field.redis.hget(keys.rq_worker(field.worker), "last_heartbeat")
        wait_until(lambda seen=seen: seen != field.redis.hget(keys.rq_worker(field.worker), "last_heartbeat"))
        assert [0] == field.check(password="wrong").values
    field.redis.delete(keys.PARKED_SCRIPTS)


def delete_everything(field):
    field.redis.flushall()


def put_huge_chunk(field):
    field.put_job("evil-7", data=b"\x01" + bytes(32 * 2**20))


def put_deep_chunk(field):
    field.put_job("evil-8", data=b"\x91" * 100_000)


def forge_executions(field):
    field.redis.sadd(keys.rq_worker_executions(field.worker), b"\xff", "a b/c:x", "nothing", "x:y")
    field.redis.zadd(keys.rq_started_registry("default"), {b"\xff": 1, "evil-1:x": 1, "": 1})
