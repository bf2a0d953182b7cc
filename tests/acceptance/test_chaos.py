"""A short version of `python -m bench chaos`: nothing is lost while workers, the server and a dispatcher are killed,
and nothing fails that comes before a pool is warm.
"""

import pytest

from bench.chaos_crowd import Crowd
from bench.chaos_storm import Storm, durable_server
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings

CALLS = 30_000
DEADLINE_S = 60.0


@pytest.mark.parametrize("seed", [1, 2])
def test_no_idempotent_call_is_lost_or_wrong_or_late_in_a_storm(seed):
    with durable_server() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=2, grace_s=5.0),
        )
        with LocalPool(settings) as pool, Crowd(settings, 2, CALLS, 128, DEADLINE_S) as crowd:
            # By progress, and hardly by time: a slow machine is not to be stormed more.
            storm = Storm(server, pool.pid, seed, kill_every_s=(5.0, 10.0), kill_at=(0.1, 0.3, 0.5, 0.75))
            storm.rage(crowd, 120)
            assert {"without an outcome": 0, "later than deadline + 1 s": 0, "wrong": 0, "lost": 0} == crowd.counts()
            assert 2 == storm.counts["servers restarted"]
            assert 2 == storm.counts["dispatchers killed"]
            assert storm.counts["workers killed"] >= len(storm.kill_at)


def test_no_call_of_a_burst_fails_that_meets_a_pool_which_has_just_started():
    with EmbeddedServer() as server:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=2, grace_s=5.0),
        )
        script = Script.from_stream("burst", b"function f(number) return number end")
        with LocalPool(settings), Dispatcher(settings) as dispatcher:
            # Not one of them may run twice, so nothing is made good behind our back.
            calls = [dispatcher.submit(script, "f", [number], deadline_s=30) for number in range(1000)]
            assert [[number] for number in range(1000)] == [call.result(timeout=60).values for call in calls]
