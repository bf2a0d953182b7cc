"""What `lualoft status` shows of workers that are gone or stand still, and of pools whose workers keep ending."""

import os
import signal

import pytest
from msgspec.structs import replace

from bench.measure import children_of
from dispatcher.cli.status_data import LOST_AFTER_S, read_status
from dispatcher.cli.status_view import plain_text
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from tests.access import as_role, define_users, denials
from tests.waiting import wait_until


@pytest.fixture
def settings(own):
    """Settings of a pool of two workers, as its role."""
    with connect_sync(own.redis) as redis:
        define_users(redis)
    yield replace(as_role(own, "worker"), pool=replace(own.pool, workers=2, lease_s=60.0))
    assert [] == denials(own)


@pytest.fixture
def look(own, settings):  # noqa: ARG001 - the roles must be there
    """Look, as the role that may only look."""
    with connect_sync(as_role(own, "monitor").redis) as redis:
        yield lambda: read_status(redis, "here")


def last_line(status):
    return plain_text(status, is_styled=False).splitlines()[-1]


def test_worker_that_lives_was_seen_a_moment_ago(settings, look):
    with LocalPool(settings):
        wait_until(lambda: 2 == len(look().serving))
        assert all(worker.last_seen_s < LOST_AFTER_S for worker in look().workers)
        assert last_line(look()).startswith("2 workers, ")


def test_worker_that_stands_still_is_lost_and_does_not_count(settings, look):
    with LocalPool(settings) as pool:
        stopped = children_of(pool.pid)[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            wait_until(lambda: 1 == len(look().serving), limit_s=20)
            (lost,) = [worker for worker in look().workers if worker.is_lost]
            assert "lost" == lost.state
            assert LOST_AFTER_S < lost.last_seen_s
            assert {"workers": 1, "lost_workers": 1}.items() <= look().as_json()["totals"].items()
            assert last_line(look()).startswith("1 workers, 1 lost, ")
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_workers_of_a_machine_that_is_gone_are_lost(settings, look):
    with LocalPool(settings) as pool:
        for pid in (pool.pid, *children_of(pool.pid)):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: 2 == look().as_json()["totals"]["lost_workers"], limit_s=20)
    assert last_line(look()).startswith("no worker runs, 2 lost: ")


@pytest.mark.parametrize("lease", [None, b"claimed"], ids=["gone", "claimed"])
def test_worker_whose_lease_is_not_its_own_is_lost_at_once(own, look, lease):
    name = f"{keys.WORKER_NAME_PREFIX}x"
    with connect_sync(own.redis) as redis:
        redis.sadd(keys.RQ_WORKERS, keys.rq_worker(name))
        redis.hset(keys.rq_worker(name), mapping={"state": "busy", "last_heartbeat": "2999-01-01T00:00:00.000000Z"})
        if lease is not None:
            redis.set(keys.worker_lease(name), lease)
        assert ["lost"] == [worker.state for worker in look().workers]
        redis.set(keys.worker_lease(name), "held")
        assert ["busy"] == [worker.state for worker in look().workers]


def test_worker_of_another_program_is_not_called_lost(own, look):
    with connect_sync(own.redis) as redis:
        redis.sadd(keys.RQ_WORKERS, keys.rq_worker("theirs"))
        redis.hset(keys.rq_worker("theirs"), mapping={"state": "idle", "last_heartbeat": "2026-01-01T00:00:00.000000Z"})
    (worker,) = look().workers
    assert ("idle", False) == (worker.state, worker.is_lost)


def test_pool_whose_workers_keep_ending_says_so(settings, look):
    with LocalPool(settings) as pool:
        wait_until(lambda: [2] == [one.ready_workers for one in look().pools])
        for child in children_of(pool.pid):
            os.kill(child, signal.SIGKILL)
        wait_until(lambda: look().pools[0].deaths >= 2)
        (found,) = look().pools
        assert (pool.pid, 2, "default", "killed by SIGKILL") == (
            found.pid,
            found.wanted_workers,
            found.queue,
            found.last_end,
        )
        assert "2 ended within five minutes, the last one: killed by SIGKILL" in plain_text(look(), is_styled=False)


def test_pool_without_any_worker_tells_when_it_starts_the_next(settings, look):
    slow = replace(settings, pool=replace(settings.pool, workers=1, respawn_min_s=30.0))
    with LocalPool(slow) as pool:
        wait_until(lambda: children_of(pool.pid))
        os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        wait_until(lambda: [one for one in look().pools if one.next_start_s])
        assert 20 < look().pools[0].next_start_s <= 30
        wait_until(lambda: not look().workers)
        text = plain_text(look(), is_styled=False)
    assert (
        "0 of 1 workers run, 1 ended within five minutes, the last one: killed by SIGKILL; the next start is in "
        in text
    )
    assert text.splitlines()[-1] == "no worker runs: its pool starts it again"


def test_pool_that_has_ended_is_not_shown(settings, look):
    with LocalPool(settings):
        wait_until(lambda: look().pools)
    assert [] == look().pools
