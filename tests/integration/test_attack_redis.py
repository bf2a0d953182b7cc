"""The attacker who has full write access to Redis and no key, as a table: what they try, and that it comes to nothing.

Each attack goes on while the pool works and a dispatcher calls. No code of theirs runs, no call gets an untrue outcome,
no worker dies, Redis does not fill up with what the attack left; and once it is over, service resumes by itself.
What remains possible (deleting, delaying, refusing) stands in docs/security.md.
"""

import pytest

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.attacks import code, crash, flood, outcome
from tests.attacks.field import Field
from tests.waiting import wait_until

ATTACKS = [
    code.plant_pickled_job,
    code.plant_pickle_bomb,
    code.plant_callbacks,
    code.plant_retries_and_repeats,
    code.swap_script,
    code.spoil_script,
    code.send_rq_commands,
    code.replace_redis_scripts,
    outcome.forge_outcome,
    outcome.seal_outcome_with_another_key,
    outcome.replay_outcome,
    outcome.give_outcome_of_another_dispatcher,
    outcome.flip_bits_of_an_outcome,
    outcome.forge_refusal,
    outcome.flip_bits_of_a_chunk,
    outcome.exchange_two_chunks,
    outcome.send_chunk_to_another_queue,
    outcome.replay_login,
    outcome.write_far_ahead_of_the_workers,
    outcome.put_another_type_in_place_of_a_stream,
    crash.list_strange_names,
    crash.list_many_workers,
    crash.put_strange_ids,
    crash.put_jobs_without_a_chunk,
    crash.put_jobs_of_other_types,
    crash.spoil_queue_keys,
    crash.spoil_worker_keys,
    crash.spoil_own_books,
    crash.park_script,
    crash.delete_everything,
    crash.put_huge_chunk,
    crash.put_deep_chunk,
    crash.forge_executions,
    flood.flood_with_jobs,
    flood.flood_with_replies,
    flood.refuse_to_strangers,
    flood.fill_parked_scripts,
]


@pytest.fixture(scope="module")
def attacked():
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1, grace_s=5.0, lease_s=4.0),
        )
        with LocalPool(settings) as pool, connect_sync(settings.redis) as redis:
            yield settings, pool, redis


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
