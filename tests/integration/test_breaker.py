"""Parked scripts are known to every worker of a Redis, and what others write there parks nothing."""

import time

import pytest

from dispatcher.cli.status_data import read_status
from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync
from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.parked import MAX_FIELDS, MAX_VALUE_BYTES, Parked, encode_parked
from dispatcher.protocol.sealing import Seal, generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.access import as_role, define_users, denials
from workers.breaker import Breaker
from workers.parked_share import ParkedShare

SCRIPT = b"\x05" * 32
PACKAGE = ScriptPackage(SCHEMA_VERSION, "greedy", "stream", b"", "2.4", "5.4", {}, 0)
SEAL = Seal.from_keys([generate_key()])


class Worker:
    """A breaker and what shares it."""

    def __init__(self, redis):
        self.breaker = Breaker(1, 2.0)
        self.share = ParkedShare(redis, SEAL, self.breaker).share

    def park(self):
        self.breaker.note(SCRIPT, PACKAGE, OutcomeKind.CPU_LIMIT)

    @property
    def left_s(self):
        return self.breaker.left_s(SCRIPT)


@pytest.fixture
def redis(own):
    """What an attacker has: everything."""
    with connect_sync(own.redis) as redis:
        define_users(redis)
        yield redis
    assert [] == denials(own)


@pytest.fixture
def workers(own, redis):  # noqa: ARG001 - the roles must be there
    with connect_sync(as_role(own, "worker").redis) as connection:
        yield [Worker(connection) for _ in range(2)]


def test_script_that_one_worker_parks_is_parked_in_the_others(workers):
    here, there = workers
    here.park()
    here.share()
    there.share()
    assert 0 < there.left_s <= 2


def test_pause_that_another_worker_made_longer_is_kept(workers):
    here, there = workers
    here.park()
    here.share()
    there.share()
    there.park()
    there.share()
    here.share()
    assert 3 < here.left_s <= 4


def test_news_is_told_again_when_redis_was_away(redis, tmp_path):
    nowhere = RedisSettings(url=Secret(f"unix://{tmp_path}/nobody"))
    with connect_sync(nowhere, retry_count=0) as away:
        here, there = Worker(away), Worker(redis)
        here.park()
        with pytest.raises(REDIS_ERRORS):
            here.share()
    ParkedShare(redis, SEAL, here.breaker).share()
    there.share()
    assert 0 < there.left_s


def test_entry_that_nobody_with_the_key_wrote_parks_nothing(redis, workers):
    forged = encode_parked(SCRIPT, Parked(time.time() + 60, 60.0, "greedy"), Seal.from_keys([generate_key()]))
    for value in (b'[9e9,60,"greedy"]', b'00 [9e9,60,"greedy"]', forged):
        redis.hset(keys.PARKED_SCRIPTS, SCRIPT.hex(), value)
        workers[0].share()
        assert 0 == workers[0].left_s


@pytest.mark.parametrize("field_count", [MAX_FIELDS, MAX_FIELDS + 1])
def test_hash_of_more_fields_than_workers_write_is_deleted_unread(redis, workers, field_count):
    redis.hset(keys.PARKED_SCRIPTS, mapping={f"{number:064x}": b"x" for number in range(field_count)})
    workers[0].share()
    assert (field_count == MAX_FIELDS) == bool(redis.exists(keys.PARKED_SCRIPTS))


@pytest.mark.parametrize("size_bytes", [MAX_VALUE_BYTES, MAX_VALUE_BYTES + 1])
@pytest.mark.parametrize("place", ["field", "value"])
def test_hash_with_more_bytes_than_workers_write_is_deleted_unread(redis, workers, place, size_bytes):
    redis.hset(keys.PARKED_SCRIPTS, *((b"x" * size_bytes, b"x") if place == "field" else (b"x", b"x" * size_bytes)))
    workers[0].share()
    assert (size_bytes == MAX_VALUE_BYTES) == bool(redis.exists(keys.PARKED_SCRIPTS))


def test_worker_learns_again_after_the_hash_was_deleted(redis, workers):
    here, there = workers
    redis.hset(keys.PARKED_SCRIPTS, mapping={str(number): b"x" for number in range(MAX_FIELDS + 1)})
    there.share()
    here.park()
    here.share()
    there.share()
    assert 0 < there.left_s


def test_status_says_what_it_could_not_check(own, redis, workers):
    workers[0].park()
    workers[0].share()
    redis.hset(keys.PARKED_SCRIPTS, "ab", b'00 [9e9,60,"forged"]')
    with connect_sync(as_role(own, "monitor").redis) as monitor:
        unchecked = read_status(monitor, "here").parked_scripts
        checked = read_status(monitor, "here", seal=SEAL).parked_scripts
    assert [("forged", False), ("greedy", False)] == [(one.name, one.is_checked) for one in unchecked]
    assert [("greedy", True)] == [(one.name, one.is_checked) for one in checked]


def test_status_does_not_read_what_workers_did_not_write(own, redis):
    redis.hset(keys.PARKED_SCRIPTS, mapping={f"{number:064x}": b'00 [9e9,60,"x"]' for number in range(MAX_FIELDS + 1)})
    with connect_sync(as_role(own, "monitor").redis) as monitor:
        assert [] == read_status(monitor, "here").parked_scripts
