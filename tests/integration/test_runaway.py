"""Scripts that compute without end: their callers are answered, and nobody else notices much."""

import dataclasses
import os
import signal
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.cli.status_data import read_status
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DispatchSettings, EngineSettings, PoolSettings, RedisSettings, Settings
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "runaway",
    b"""
    local function touch(path) io.open(path, "w"):close() end

    function ping() return "pong" end
    function spin(started) touch(started) while true do end end
    function spin_behind_pcall() while true do pcall(function() while true do end end) end end
    function spin_in_coroutine() coroutine.wrap(function() while true do end end)() end
    local endless = setmetatable({}, { __close = function() while true do end end })
    function spin_in_close() local _ <close> = endless spin("/dev/null") end
    function match_for_ever(started)
       touch(started)
       return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c")
    end
    function burn(seconds)
       local ends = os.clock() + seconds
       while os.clock() < ends do end
       return "burnt"
    end

    function run(command) return os.execute(command) end
    function stop_worker() os.execute("kill -STOP $PPID") end

    local inside, most = 0, 0
    function enter(seconds)
       inside = inside + 1
       most = math.max(most, inside)
       require("socket").sleep(seconds)
       inside = inside - 1
       return most
    end
    """,
)


@pytest.fixture(scope="module")
def tight():
    """Settings of a pool with one worker and little patience."""
    with EmbeddedServer() as server:
        yield Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(server.url)),
            pool=PoolSettings(workers=1, grace_s=5.0),
            # The tests call one script, which would be parked for longer with each of them.
            engine=EngineSettings(max_cpu_s=0.2, max_limit_hits=0),
        )


@pytest.fixture(scope="module")
def dispatcher(tight):
    with LocalPool(tight), Dispatcher(tight) as dispatcher:
        yield dispatcher


@pytest.mark.parametrize("function", ["spin_behind_pcall", "spin_in_coroutine"])
def test_endless_loop_ends_as_cpu_limit(dispatcher, function):
    outcome = dispatcher.call(SCRIPT, function, deadline_s=20)
    assert OutcomeKind.CPU_LIMIT is outcome.kind
    assert "used more than its 0.2 s of processor time" in outcome.error


def test_limit_of_the_script_comes_before_that_of_the_worker(dispatcher):
    patient = dataclasses.replace(SCRIPT, max_cpu_s=30.0)
    assert [b"burnt"] == dispatcher.call(patient, "burn", 0.6, deadline_s=20).values


def test_endless_loop_is_answered_by_its_deadline(dispatcher):
    patient = dataclasses.replace(SCRIPT, max_cpu_s=30.0)
    began_s = time.monotonic()
    outcome = dispatcher.call(patient, "spin_behind_pcall", deadline_s=0.3)
    assert OutcomeKind.DEADLINE_EXCEEDED is outcome.kind
    # Long before its 30 s of processor time.
    assert 5 > time.monotonic() - began_s


def test_others_of_the_same_script_go_on_beside_an_endless_loop(dispatcher, tmp_path):
    patient = dataclasses.replace(SCRIPT, max_cpu_s=3.0)
    started = tmp_path / "started"
    spinning = dispatcher.submit(patient, "spin", [str(started)], deadline_s=20)
    wait_until(started.exists)
    for _ in range(20):
        assert [b"pong"] == dispatcher.call(patient, "ping", deadline_s=2).values
    assert not spinning.done()
    assert OutcomeKind.CPU_LIMIT is spinning.result(timeout=20).kind


@pytest.mark.parametrize("function", ["match_for_ever", "spin_in_close"])
def test_call_that_never_gives_way_is_answered_and_its_worker_replaced(dispatcher, tmp_path, function):
    started = tmp_path / "started"
    stuck = dispatcher.submit(SCRIPT, function, [str(started)], deadline_s=20)
    if function == "match_for_ever":
        wait_until(started.exists)
    others = [dispatcher.submit(SCRIPT, "ping", [], deadline_s=20) for _ in range(50)]
    outcome = stuck.result(timeout=20)
    assert OutcomeKind.CPU_LIMIT is outcome.kind
    assert "its worker was replaced" in outcome.error
    # They were never begun, so they run elsewhere although they are not idempotent.
    assert [[b"pong"]] * 50 == [other.result(timeout=20).values for other in others]


@pytest.mark.parametrize("lua", ["5.1", "luajit"])
def test_lua_that_cannot_be_interrupted_costs_its_worker(dispatcher, tmp_path, lua):
    script = Script.from_stream(
        "spin", b"function spin(path) io.open(path, 'w'):close() while true do end end", lua=lua
    )
    started = tmp_path / "started"
    stuck = dispatcher.submit(script, "spin", [str(started)], deadline_s=20)
    wait_until(started.exists)
    assert OutcomeKind.CPU_LIMIT is stuck.result(timeout=20).kind
    assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


def test_command_ends_with_the_worker_that_waits_for_it(dispatcher, tmp_path):
    noted = tmp_path / "pid"
    outcome = dispatcher.call(SCRIPT, "run", f"echo $$ >{noted}; exec sleep 300", deadline_s=20)
    assert OutcomeKind.CPU_LIMIT is outcome.kind
    wait_until(lambda: not Path("/proc", noted.read_text().strip()).exists())


def test_worker_that_does_not_move_at_all_is_replaced(tight):
    frozen = replace(tight, dispatch=DispatchSettings(queue="frozen"), pool=replace(tight.pool, lease_s=4.0))
    # Another name: the tests before may have had the script parked.
    stopping = dataclasses.replace(SCRIPT, name="stopping")
    with LocalPool(frozen), Dispatcher(frozen) as dispatcher:
        assert OutcomeKind.WORKER_LOST is dispatcher.call(stopping, "stop_worker", deadline_s=20).kind
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


@pytest.mark.parametrize("lua", ["5.4", "luajit"])
def test_finaliser_that_never_ends_does_not_freeze_the_worker_that_unloads_its_script(tight, lua):
    looping = Script.from_stream(
        "looping",
        b"""
        local function spin() while true do end end
        if newproxy then kept = newproxy(true) getmetatable(kept).__gc = spin
        else kept = setmetatable({}, { __gc = spin }) end
        function ping() return "pong" end""",
        lua=lua,
    )
    small = replace(
        tight,
        dispatch=DispatchSettings(queue=lua),
        engine=replace(tight.engine, max_instances=1),
        # Longer than the deadlines: that a frozen worker would lose its lease is another test's matter.
        pool=replace(tight.pool, lease_s=60.0),
    )
    with LocalPool(small), Dispatcher(small) as dispatcher:
        assert [b"pong"] == dispatcher.call(looping, "ping", deadline_s=20).values
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


def test_pattern_that_never_ends_in_a_main_chunk_is_answered_at_once(tight):
    script = Script.from_stream("matching", b'return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c")')
    settings = replace(tight, dispatch=DispatchSettings(queue="matching"))
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        outcome = dispatcher.call(script, "f", deadline_s=20)
        assert OutcomeKind.LOAD_ERROR is outcome.kind
        assert "did not give way after 0.6 s of processor time; its worker was replaced" in outcome.error
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


def test_script_init_that_never_ends_is_answered(tight):
    script = Script.from_stream("endless", b"while true do end")
    # The loading goes on when the caller has its answer: the pool is not to wait for it at its end.
    brief = replace(tight, dispatch=DispatchSettings(queue="endless"), pool=replace(tight.pool, grace_s=0.1))
    with LocalPool(brief), Dispatcher(brief) as dispatcher:
        outcome = dispatcher.call(script, "f", deadline_s=0.5)
        assert OutcomeKind.DEADLINE_EXCEEDED is outcome.kind
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


@pytest.mark.parametrize(("cap", "expected_most", "seconds"), [(1, 1, 0.05), (3, 3, 0.05), (0, 12, 2.0)])
def test_as_many_calls_are_inside_a_script_as_it_allows(dispatcher, cap, expected_most, seconds):
    script = dataclasses.replace(SCRIPT, name=f"cap {cap}", max_concurrent=cap)
    calls = [dispatcher.submit(script, "enter", [seconds], deadline_s=20) for _ in range(12)]
    assert expected_most == max(call.result(timeout=20).values[0] for call in calls)


def test_call_that_waits_outside_a_full_script_ends_by_its_deadline(dispatcher):
    script = dataclasses.replace(SCRIPT, name="serial", max_concurrent=1)
    inside = dispatcher.submit(script, "enter", [0.5], deadline_s=20)
    outside = dispatcher.call(script, "enter", 0.0, deadline_s=0.1)
    assert OutcomeKind.DEADLINE_EXCEEDED is outside.kind
    assert [1] == inside.result(timeout=20).values


def test_call_that_never_gives_way_ends_with_its_deadline_whatever_time_it_has(tight):
    script = Script.from_stream("looping", b"function f() while true do end end", lua="luajit")
    looping = dataclasses.replace(script, max_cpu_s=60.0)
    settings = replace(tight, dispatch=DispatchSettings(queue="overdue"))
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        stuck = dispatcher.submit(looping, "f", [], deadline_s=0.3)
        assert OutcomeKind.DEADLINE_EXCEEDED is stuck.result(timeout=20).kind
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=10).values


def test_processor_time_between_waits_counts(tight):
    script = Script.from_stream(
        "busy",
        b"""
        local sleep = require("socket").sleep
        function f() while true do for _ = 1, 20000 do end sleep(1e-9) end end
        function nap() for _ = 1, 20 do sleep(0.05) end return "rested" end""",
    )
    settings = replace(tight, dispatch=DispatchSettings(queue="busy"))
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert [b"rested"] == dispatcher.call(script, "nap", deadline_s=20).values
        assert OutcomeKind.CPU_LIMIT is dispatcher.call(script, "f", deadline_s=20).kind


@pytest.mark.parametrize("lua", ["5.4", "luajit"])
def test_script_deinit_that_never_ends_does_not_hold_up_the_drain(tight, lua):
    endless = Script.from_stream("endless", b"function f() end function script_deinit() while true do end end", lua=lua)
    settings = replace(tight, dispatch=DispatchSettings(queue=f"deinit-{lua}"))
    with LocalPool(settings) as pool, Dispatcher(settings) as dispatcher:
        assert dispatcher.call(endless, "f", deadline_s=20).is_ok
        os.kill(pool.pid, signal.SIGTERM)
        asked_s = time.monotonic()
        assert 0 == pool.wait()
        # Three times its processor time, 0.2 s, and what the watch adds; the grace is 5 s.
        assert 4 > time.monotonic() - asked_s


def test_full_disk_under_the_log_fails_no_call(tight):
    script = Script.from_stream(
        "chatty", b"function f() dovecot.i_info('x') dovecot.event():log_info('x') print('x') return 'done' end"
    )
    settings = replace(tight, dispatch=DispatchSettings(queue="full"))
    with (
        Path("/dev/full").open("wb") as full,
        LocalPool(settings, stderr=full.fileno()),
        Dispatcher(settings) as dispatcher,
    ):
        for _ in range(3):
            assert [b"done"] == dispatcher.call(script, "f", deadline_s=20).values


def test_script_that_keeps_hitting_its_limit_is_parked_and_others_are_not(tight):
    script = Script.from_stream("greedy", b"function spin() while true do end end")
    settings = replace(
        tight,
        dispatch=DispatchSettings(queue="greedy"),
        engine=replace(tight.engine, max_cpu_s=0.05, max_limit_hits=2),
    )
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        kinds = [dispatcher.call(script, "spin", deadline_s=20).kind for _ in range(2)]
        assert [OutcomeKind.CPU_LIMIT] * 2 == kinds
        parked = dispatcher.call(script, "spin", deadline_s=20)
        assert OutcomeKind.UNAVAILABLE is parked.kind
        assert "keeps hitting its limits and is parked for another" in parked.error
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values
        with connect_sync(settings.redis) as redis:
            wait_until(lambda: "greedy" in [one.name for one in read_status(redis, "here").parked_scripts])
