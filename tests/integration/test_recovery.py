"""Workers that die, that are stopped, and machines that vanish: whose calls run again, and whose do not."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import Seal
from dispatcher.protocol.secret import Secret
from tests.integration.redis_proxy import RedisProxy
from tests.waiting import wait_until
from workers.lease import CLAIM_HOLDS_S, CLAIM_KEPT_S
from workers.recovery import Recovery

SCRIPT = Script.from_stream(
    "recovery",
    b"""
    local function note(path) local file = io.open(path, "a") file:write("x") file:close() end
    local function exists(path) local file = io.open(path) if file then file:close() return true end end

    function ping() return "pong" end
    function spin(path) note(path) while true do end end
    function nap(path, seconds) note(path) require("socket").sleep(seconds) return "rested" end
    -- Says when it lives, and which run it is.
    function tick(path)
       local socket = require("socket")
       local run = socket.gettime()
       for _ = 1, 60 do
          local file = io.open(path, "a")
          file:write(("%.6f %.6f\\n"):format(socket.gettime(), run)) file:close()
          socket.sleep(0.1)
       end
       return "rested"
    end
    -- Computes until the test lets it go on; says which time it ran.
    function hold(path, go_on)
       note(path)
       local file = io.open(path) local count = #file:read("*a") file:close()
       while count == 1 and not exists(go_on) do end
       return count
    end
    """,
)

#: Seconds: a lease short enough to run out in a test.
LEASE_S = 4.0


def count(path):
    return len(path.read_text()) if path.exists() else 0


def has_ended(pid):
    """Is a process gone, or dead and not yet reaped?"""
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def brief(own):
    return replace(own, pool=replace(own.pool, lease_s=LEASE_S, grace_s=20.0))


@contextmanager
def pool_that_vanishes(settings):
    """A pool; the test ends its processes itself."""
    pool = LocalPool(settings)
    try:
        pool.__enter__()
        yield pool
    finally:
        pool.__exit__(None, None, None)


def test_call_that_killed_two_workers_ends_and_its_mates_run_on(own, tmp_path):
    started = tmp_path / "started"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        mates = [
            dispatcher.submit(SCRIPT, "nap", [str(tmp_path / f"mate {number}"), 0.5], deadline_s=60, idempotent=True)
            for number in range(20)
        ]
        killer = dispatcher.submit(SCRIPT, "spin", [str(started)], deadline_s=60, idempotent=True)
        for deaths in (1, 2):
            wait_until(lambda deaths=deaths: count(started) == deaths)
            os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        assert OutcomeKind.WORKER_LOST is killer.result(timeout=30).kind
        assert [[b"rested"]] * 20 == [mate.result(timeout=30).values for mate in mates]


def test_calls_that_only_wait_outlive_many_deaths_of_their_worker(own, tmp_path):
    started = tmp_path / "started"
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        waiting = dispatcher.submit(SCRIPT, "nap", [str(started), 1.0], deadline_s=60, idempotent=True)
        for deaths in range(1, 5):
            wait_until(lambda deaths=deaths: count(started) == deaths)
            os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        assert [b"rested"] == waiting.result(timeout=30).values


def test_call_of_a_machine_that_vanished_runs_on_another(brief, tmp_path):
    started = tmp_path / "started"
    with LocalPool(brief) as lost, Dispatcher(brief) as dispatcher:
        call = dispatcher.submit(
            SCRIPT, "hold", [str(started), str(tmp_path / "never")], deadline_s=60, idempotent=True
        )
        wait_until(lambda: count(started) == 1)
        for pid in (lost.pid, *children_of(lost.pid)):
            os.kill(pid, signal.SIGKILL)
        with LocalPool(brief):
            assert [2] == call.result(timeout=30).values


def test_machine_that_slept_for_longer_than_its_lease_has_its_late_outcome_dropped(brief, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go on"
    with LocalPool(brief) as asleep, Dispatcher(brief) as dispatcher:
        call = dispatcher.submit(SCRIPT, "hold", [str(started), str(go_on)], deadline_s=60, idempotent=True)
        wait_until(lambda: count(started) == 1)
        (worker,) = children_of(asleep.pid)
        os.kill(asleep.pid, signal.SIGSTOP)
        os.kill(worker, signal.SIGSTOP)
        try:
            with LocalPool(brief):
                # The second run, by the other pool, is the one that counts.
                assert [2] == call.result(timeout=30).values
                go_on.touch()
                # The worker before its supervisor, which would end it.
                os.kill(worker, signal.SIGCONT)
                wait_until(lambda: has_ended(worker))
        finally:
            os.kill(asleep.pid, signal.SIGCONT)


def test_worker_that_stands_still_is_replaced_and_its_calls_run_again(brief, tmp_path):
    started = tmp_path / "started"
    with LocalPool(brief) as pool, Dispatcher(brief) as dispatcher:
        call = dispatcher.submit(
            SCRIPT, "hold", [str(started), str(tmp_path / "never")], deadline_s=60, idempotent=True
        )
        wait_until(lambda: count(started) == 1)
        (worker,) = children_of(pool.pid)
        os.kill(worker, signal.SIGSTOP)
        assert [2] == call.result(timeout=30).values
        assert worker not in children_of(pool.pid)


def test_worker_that_is_held_up_while_it_unloads_a_script_is_replaced(brief):
    endless = Script.from_stream(
        "endless", b"kept = setmetatable({}, { __gc = function() while true do end end }) function f() end"
    )
    one = replace(brief, engine=replace(brief.engine, max_instances=1, max_cpu_s=0.2))
    with LocalPool(one), Dispatcher(one) as dispatcher:
        assert OutcomeKind.OK is dispatcher.call(endless, "f", deadline_s=20).kind
        dispatcher.call(SCRIPT, "ping", deadline_s=0.5)
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=30, idempotent=True).values


def test_lease_is_renewed_while_a_long_call_runs_and_while_it_is_drained(brief, tmp_path):
    paths = [tmp_path / f"nap {number}" for number in range(8)]
    with LocalPool(brief) as draining, LocalPool(brief), Dispatcher(brief) as dispatcher:
        # Idempotent: whoever thought a worker dead would have them run again.
        naps = [
            dispatcher.submit(SCRIPT, "nap", [str(path), 1.5 * LEASE_S], deadline_s=60, idempotent=True)
            for path in paths
        ]
        wait_until(lambda: all(path.exists() for path in paths))
        os.kill(draining.pid, signal.SIGTERM)
        assert [[b"rested"]] * 8 == [nap.result(timeout=30).values for nap in naps]
    assert [1] * 8 == [count(path) for path in paths]


def test_worker_that_is_cut_off_stops_before_another_pool_runs_its_calls(brief, tmp_path):
    runs = tmp_path / "runs"
    with RedisProxy(brief.redis.url.reveal().removeprefix("unix://")) as proxy:
        cut_off = replace(brief, redis=replace(brief.redis, url=Secret(proxy.url)))
        with pool_that_vanishes(cut_off) as lost, Dispatcher(brief) as dispatcher:
            call = dispatcher.submit(SCRIPT, "tick", [str(runs)], deadline_s=60, idempotent=True)
            wait_until(runs.exists)
            (worker,) = children_of(lost.pid)
            with LocalPool(brief):
                proxy.is_black_hole = True
                assert [b"rested"] == call.result(timeout=40).values
            os.kill(lost.pid, signal.SIGKILL)
            assert has_ended(worker)
    # Whose signs of life they are, in the order of time: all of the first run's stand before the second one's.
    runners = [line.split()[1] for line in sorted(runs.read_text().splitlines())]
    assert 2 == len(set(runners))
    assert sorted(runners, key=runners.index) == runners


def test_claim_of_a_pool_that_died_over_it_runs_out(brief):
    queue, name = brief.dispatch.queue, f"{keys.WORKER_NAME_PREFIX}lost"
    with connect_sync(brief.redis) as redis:
        redis.sadd(keys.rq_queue_workers(queue), keys.rq_worker(name))
        recovery = Recovery(redis, Seal.from_keys([brief.key.reveal()]), queue)
        assert [name] == list(recovery.claim_abandoned())
        assert 0 < redis.ttl(keys.worker_lease(name)) <= CLAIM_HOLDS_S
        recovery.recover(name, None)
        assert CLAIM_HOLDS_S < redis.ttl(keys.worker_lease(name)) <= CLAIM_KEPT_S


def test_worker_whose_lease_somebody_claimed_ends_and_is_replaced(brief):
    with LocalPool(brief) as pool, Dispatcher(brief) as dispatcher, connect_sync(brief.redis) as redis:
        (before,) = children_of(pool.pid)
        (lease,) = redis.keys(keys.worker_lease("*"))
        redis.set(lease, "claimed", px=60_000)
        wait_until(lambda: before not in children_of(pool.pid))
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


@pytest.mark.alone
def test_worker_that_had_been_ready_is_replaced_soon_however_often_it_is_killed(own):
    # Doubling alone, from 0.2 s on, the fifth successor would be waited for 3.2 s.
    with LocalPool(own) as pool, Dispatcher(own) as dispatcher:
        for _ in range(5):
            assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=30, idempotent=True).values
            (worker,) = children_of(pool.pid)
            os.kill(worker, signal.SIGKILL)
            killed_s = time.monotonic()
            wait_until(lambda worker=worker: set(children_of(pool.pid)) - {worker}, limit_s=30)
        assert time.monotonic() - killed_s < 2.5
