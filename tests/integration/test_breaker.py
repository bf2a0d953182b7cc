"""Parked scripts are known to every worker of a Redis."""

import pytest

from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync
from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from workers.breaker import Breaker

SCRIPT = b"\x05" * 16
PACKAGE = ScriptPackage(SCHEMA_VERSION, "greedy", "stream", b"", "2.4", "5.4", {}, 0)


@pytest.fixture
def redis(own):
    with connect_sync(own.redis) as redis:
        yield redis


def test_script_that_one_worker_parks_is_parked_in_the_others(redis):
    here, there = Breaker(1, 2.0), Breaker(1, 2.0)
    here.note(SCRIPT, PACKAGE, OutcomeKind.CPU_LIMIT)
    here.share(redis)
    there.share(redis)
    assert 0 < there.left_s(SCRIPT) <= 2


def test_pause_that_another_worker_made_longer_is_kept(redis):
    here, there = Breaker(1, 2.0), Breaker(1, 2.0)
    here.note(SCRIPT, PACKAGE, OutcomeKind.CPU_LIMIT)
    here.share(redis)
    there.share(redis)
    there.note(SCRIPT, PACKAGE, OutcomeKind.CPU_LIMIT)
    there.share(redis)
    here.share(redis)
    assert 3 < here.left_s(SCRIPT) <= 4


def test_news_is_told_again_when_redis_was_away(redis, tmp_path):
    here, there = Breaker(1, 2.0), Breaker(1, 2.0)
    here.note(SCRIPT, PACKAGE, OutcomeKind.CPU_LIMIT)
    nowhere = RedisSettings(url=Secret(f"unix://{tmp_path}/nobody"))
    with connect_sync(nowhere, retry_count=0) as away, pytest.raises(REDIS_ERRORS):
        here.share(away)
    here.share(redis)
    there.share(redis)
    assert 0 < there.left_s(SCRIPT)
