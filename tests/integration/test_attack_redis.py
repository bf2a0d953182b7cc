"""The attacker who has full write access to Redis and no key, as a table: what they try, and that it comes to nothing.

Each attack goes on while the pool works and a dispatcher calls. No code of theirs runs, no call gets an untrue outcome,
no worker dies, Redis does not fill up with what the attack left; and once it is over, service resumes by itself.
What remains possible (deleting, delaying, refusing) stands in docs/security.md.
"""

import os
import pickle
import time
import zlib
from pathlib import Path

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.reply import OUTCOMES_FIELD, REFUSAL_FIELD
from dispatcher.protocol.sealing import Seal, generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

QUEUE = keys.rq_queue("default")

CHECK = Script.from_stream(
    "check", b'function verify(user, password) return user == "ann" and password == "right" and 1 or 0 end'
)
ALWAYS_YES = Script.from_stream("always yes", b"function verify() return 1 end")


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


class Field:
    """What an attack works with: Redis, the dispatcher's insides (which an attacker can see in Redis), a trap."""

    def __init__(self, settings, redis, dispatcher, trap):
        self.settings = settings
        self.redis = redis
        self.dispatcher = dispatcher
        self.trap = trap

    @property
    def stream(self):
        return keys.reply_stream(self.dispatcher._dispatcher._dispatcher_id)

    @property
    def worker(self):
        # After a flush it lists itself again.
        wait_until(lambda: 1 == self.redis.scard(keys.rq_queue_workers("default")))
        (key,) = self.redis.smembers(keys.rq_queue_workers("default"))
        return key.decode().removeprefix("rq:worker:")

    def check(self, user="ann", password="right", script=CHECK, deadline_s=20.0):
        return self.dispatcher.call(script, "verify", user, password, deadline_s=deadline_s, idempotent=True)

    def put_job(self, job_id, **fields):
        self.redis.hset(keys.rq_job(job_id), mapping=fields)
        self.redis.rpush(QUEUE, job_id)

    def while_suspended(self, act, **call):
        """Hold the workers up, put a call on the queue, do something to it, let them go on; returns its outcome."""
        self.redis.set("rq:suspended", 1)
        wait_until(lambda: b"suspended" == self.redis.hget(keys.rq_worker(self.worker), "state"))
        # A worker that was waiting already takes one more.
        waiting = self.submit(**call)
        wait_until(lambda: self.redis.llen(QUEUE))
        act(self.redis.lrange(QUEUE, 0, -1)[-1].decode())
        self.redis.delete("rq:suspended")
        return waiting.result(timeout=60)

    def submit(self, user="ann", password="right", deadline_s=20.0):
        return self.dispatcher.submit(CHECK, "verify", [user, password], deadline_s=deadline_s, idempotent=True)

    def recorded_outcomes(self):
        """Return the newest entry of the stream."""
        ((_, fields),) = self.redis.xrevrange(self.stream, count=1)
        return fields[OUTCOMES_FIELD]


# Running code.


def plant_pickled_job(field):
    data = pickle.dumps(("os.mkdir", None, (str(field.trap),), {}))
    field.put_job("evil-1", data=data, func_name="os.mkdir", created_at="2026-01-01T00:00:00Z", origin="default")
    field.put_job("evil-2", data=zlib.compress(data), timeout="1e308")


def plant_pickle_bomb(field):
    bomb = pickle.dumps(Evil(field.trap))
    names = ("data", "result", "meta", "exc_info", "args", "kwargs", "success_callback_name", "worker_name")
    field.put_job("evil-3", **dict.fromkeys(names, bomb))


def plant_callbacks(field):
    names = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    extras = dict.fromkeys(names, "os.mkdir") | {
        "serializer": "pickle",
        "job_class": "rq.job.Job",
        "meta": b"\x80\x04.",
    }

    def poison(job_id):
        field.redis.hset(keys.rq_job(job_id), mapping={**extras, "func_name": "os.system", "dependency_id": "evil-1"})

    assert [1] == field.while_suspended(poison).values


def plant_retries_and_repeats(field):
    fields = {"retries_left": 99, "retry_intervals": "[0]", "repeats_left": 99, "result_ttl": -1, "ttl": -1}
    outcome = field.while_suspended(lambda job_id: field.redis.hset(keys.rq_job(job_id), mapping=fields))
    assert [1] == outcome.values


def swap_script(field):
    field.check(script=ALWAYS_YES)
    theirs, ours = (keys.script_package(script.packed[0].hex()) for script in (ALWAYS_YES, CHECK))
    field.redis.copy(theirs, ours, replace=True)
    # Another process than the one that has it loaded asks Redis.
    with Dispatcher(field.settings):
        assert [0] == field.check(password="wrong").values


def spoil_script(field):
    script = Script.from_stream(f"fresh {time.time()}", CHECK.source)
    field.redis.set(keys.script_package(script.packed[0].hex()), b"function verify() os.execute('x') return 1 end")
    assert [0] == field.check(password="wrong", script=script).values


def send_rq_commands(field):
    for command in ('{"command": "shutdown"}', '{"command": "kill-horse"}', '{"command": "stop-job", "job_id": "x"}'):
        field.redis.publish(f"rq:pubsub:{field.worker}", command)


def replace_redis_scripts(field):
    field.redis.script_flush()
    field.redis.function_load("#!lua name=evil\nredis.register_function('evil', function() return 1 end)", replace=True)


# Forging and replaying outcomes.


def forge_outcome(field):
    for fields in (
        {OUTCOMES_FIELD: b"\x91\x01"},
        {OUTCOMES_FIELD: b"\x01" + os.urandom(200)},
        {"x": "y"},
        {b"\xff": b""},
    ):
        field.redis.xadd(field.stream, fields)
    assert [0] == field.check(password="wrong").values


def seal_outcome_with_another_key(field):
    sealed = Seal.from_keys([generate_key()]).seal(b"\x92\x01\x90", field.stream.encode())
    field.redis.xadd(field.stream, {OUTCOMES_FIELD: sealed})
    assert [0] == field.check(password="wrong").values


def replay_outcome(field):
    field.check()
    yes = field.recorded_outcomes()

    def replay(_job_id):
        for _ in range(10):
            field.redis.xadd(field.stream, {OUTCOMES_FIELD: yes})

    assert [0] == field.while_suspended(replay, password="wrong").values


def give_outcome_of_another_dispatcher(field):
    with Dispatcher(field.settings) as other:
        theirs = Field(field.settings, field.redis, other, field.trap)
        theirs.check()
        yes = theirs.recorded_outcomes()
    # The same number there and here: calls are counted from 1 in every dispatcher.
    with Dispatcher(field.settings) as fresh:
        mine = Field(field.settings, field.redis, fresh, field.trap)
        field.redis.xadd(mine.stream, {OUTCOMES_FIELD: yes})
        assert [0] == mine.check(password="wrong").values


def flip_bits_of_an_outcome(field):
    field.check()
    sealed = bytearray(field.recorded_outcomes())
    for place in range(0, len(sealed), 7):
        sealed[place] ^= 1
        field.redis.xadd(field.stream, {OUTCOMES_FIELD: bytes(sealed)})
    assert [0] == field.check(password="wrong").values


def forge_refusal(field):
    for number in ("1", "2", "999999999999999999", "9" * 5000, "-1", "\u0663", "x"):
        field.redis.xadd(field.stream, {REFUSAL_FIELD: f"{number} evil"})
    assert field.check(password="wrong").values in ([0], [])


def flip_bits_of_a_chunk(field):
    def flip(job_id):
        sealed = bytearray(field.redis.hget(keys.rq_job(job_id), "data"))
        sealed[-20] ^= 1
        field.redis.hset(keys.rq_job(job_id), "data", bytes(sealed))

    assert OutcomeKind.REJECTED is field.while_suspended(flip).kind


def exchange_two_chunks(field):
    def exchange(job_id):
        other = field.submit(password="wrong", deadline_s=5)
        wait_until(lambda: field.redis.llen(QUEUE) > 1)
        other_id = field.redis.lrange(QUEUE, 0, -1)[-1].decode()
        one, two = (field.redis.hget(keys.rq_job(name), "data") for name in (job_id, other_id))
        field.redis.hset(keys.rq_job(job_id), "data", two)
        field.redis.hset(keys.rq_job(other_id), "data", one)
        outcomes.append(other)

    outcomes = []
    assert OutcomeKind.REJECTED is field.while_suspended(exchange, deadline_s=5).kind
    assert OutcomeKind.REJECTED is outcomes[0].result(timeout=20).kind


def send_chunk_to_another_queue(field):
    def move(job_id):
        field.redis.lrem(QUEUE, 1, job_id)
        field.redis.rpush(keys.rq_queue("other"), job_id)

    # Nobody listens there, and where somebody does the chunk does not open: its queue is in the seal.
    assert OutcomeKind.DEADLINE_EXCEEDED is field.while_suspended(move, deadline_s=3).kind
    field.redis.delete(keys.rq_queue("other"))


def replay_login(field):
    recorded = []

    def record(job_id):
        recorded.append((job_id, field.redis.hgetall(keys.rq_job(job_id))))

    assert [1] == field.while_suspended(record).values
    (job_id, fields), before = recorded[0], rejected(field.redis)
    wait_until(lambda: not field.redis.exists(keys.rq_job(job_id)))
    for _ in range(3):
        field.redis.hset(keys.rq_job(job_id), mapping=fields)
        field.redis.rpush(QUEUE, job_id)
    wait_until(lambda: rejected(field.redis) == before + 3)
    field.redis.delete(keys.rq_job(job_id))


# Crashing workers, for good.


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
    spoil(field, keys.rejected_list("default"), keys.rejected_count("default"))
    field.put_job("evil-6", data=b"x" * 100)


def spoil(field, *names):
    for name in names:
        field.redis.delete(name)
        field.redis.pfadd(name, "x")
        if field.redis.type(name) == b"string" and name == keys.rejected_count("default"):
            field.redis.delete(name)
            field.redis.rpush(name, "x")


def delete_everything(field):
    field.redis.flushall()


def put_huge_chunk(field):
    field.put_job("evil-7", data=b"\x01" + bytes(32 * 2**20))


def put_deep_chunk(field):
    field.put_job("evil-8", data=b"\x91" * 100_000)


def forge_executions(field):
    field.redis.sadd(keys.rq_worker_executions(field.worker), b"\xff", "a b/c:x", "nothing", "x:y")
    field.redis.zadd(keys.rq_started_registry("default"), {b"\xff": 1, "evil-1:x": 1, "": 1})


# Filling memory.


def flood_with_jobs(field):
    with field.redis.pipeline(transaction=False) as pipeline:
        for number in range(2000):
            pipeline.hset(keys.rq_job(f"evil-{number}"), "data", os.urandom(500))
            pipeline.rpush(QUEUE, f"evil-{number}")
        pipeline.execute()
    wait_until(lambda: not field.redis.exists(QUEUE), limit_s=60)


def flood_with_replies(field):
    for _ in range(2000):
        field.redis.xadd(field.stream, {OUTCOMES_FIELD: os.urandom(1000)})
    assert [0] == field.check(password="wrong").values
    wait_until(lambda: field.check() and field.redis.xlen(field.stream) < 200, limit_s=30)


def refuse_to_strangers(field):
    for number in range(300):
        field.put_job(f"{'a' * 18}{number}-1", data=b"x" * 100)
    wait_until(lambda: not field.redis.exists(QUEUE), limit_s=30)
    assert all(field.redis.ttl(key) > 0 for key in field.redis.keys(keys.reply_stream("a" * 18 + "*")))
    field.redis.delete(*field.redis.keys(keys.reply_stream("a" * 18 + "*")))


ATTACKS = [
    plant_pickled_job,
    plant_pickle_bomb,
    plant_callbacks,
    plant_retries_and_repeats,
    swap_script,
    spoil_script,
    send_rq_commands,
    replace_redis_scripts,
    forge_outcome,
    seal_outcome_with_another_key,
    replay_outcome,
    give_outcome_of_another_dispatcher,
    flip_bits_of_an_outcome,
    forge_refusal,
    flip_bits_of_a_chunk,
    exchange_two_chunks,
    send_chunk_to_another_queue,
    replay_login,
    list_strange_names,
    list_many_workers,
    put_strange_ids,
    put_jobs_of_other_types,
    spoil_queue_keys,
    spoil_worker_keys,
    spoil_own_books,
    delete_everything,
    put_huge_chunk,
    put_deep_chunk,
    forge_executions,
    flood_with_jobs,
    flood_with_replies,
    refuse_to_strangers,
]


@pytest.fixture(scope="module")
def attacked():
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1, grace_s=5.0, lease_s=3.0),
        )
        with LocalPool(settings) as pool, connect_sync(settings.redis) as redis:
            yield settings, pool, redis


def rejected(redis):
    return int(redis.get(keys.rejected_count("default")) or 0)


def children_of(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def left_over(redis):
    """Return keys of jobs and executions that would stay for ever."""
    names = [key for pattern in ("rq:job:*", "rq:execution*") for key in redis.keys(pattern)]
    return [key for key in names if redis.ttl(key) == -1]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_comes_to_nothing(attacked, tmp_path, attack):
    settings, pool, redis = attacked
    workers = children_of(pool.pid)
    with Dispatcher(settings) as dispatcher:
        field = Field(settings, redis, dispatcher, tmp_path / "trap")
        assert [1] == field.check().values
        attack(field)
        # The outcome may be a failure for a while, and never an untrue verdict.
        outcome = field.check(password="wrong", deadline_s=2)
        assert not outcome.is_ok or [0] == outcome.values
        wait_until(lambda: [1] == field.check(deadline_s=2).values, limit_s=30)
        assert [0] == field.check(password="wrong").values
        wait_until(lambda: [] == left_over(redis), limit_s=30)
    assert not field.trap.exists()
    assert workers == children_of(pool.pid)


def claim_lease(redis, key):
    redis.set(key, "claimed")


def spoil_lease(redis, key):
    redis.delete(key)
    redis.rpush(key, "x")


@pytest.mark.parametrize("attack", [claim_lease, spoil_lease], ids=lambda attack: attack.__name__)
def test_attack_on_a_lease_costs_a_worker_and_never_the_service(attacked, attack):
    settings, pool, redis = attacked
    with Dispatcher(settings) as dispatcher:
        field = Field(settings, redis, dispatcher, None)
        workers, key = children_of(pool.pid), keys.worker_lease(field.worker)
        attack(redis, key)
        wait_until(lambda: children_of(pool.pid) not in (workers, []), limit_s=40)
        wait_until(lambda: [1] == field.check(deadline_s=2).values, limit_s=30)
        assert [0] == field.check(password="wrong").values
        redis.delete(key)
