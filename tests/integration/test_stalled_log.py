"""Nobody reads the log of the pool: calls are answered, stuck workers are replaced, and it ends when it is told to."""

import contextlib
import os
import time

import pytest
from msgspec.structs import replace

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import STOP_MARGIN_S, LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "talkative",
    b"""
    function ping() return "pong" end
    function flood() for i = 1, 20000 do dovecot.i_info("line") end return "done" end
    function match_for_ever() return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c") end
    """,
)
QUIET = Script.from_stream("quiet", b"function ping() return 'pong' end")


@pytest.fixture
def unread():
    """The write end of a pipe that is full and stays so."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while os.write(write_end, b"-" * size):
                pass
    os.set_blocking(write_end, True)
    yield write_end
    os.close(write_end)
    os.close(read_end)


@pytest.fixture
def stalled(own, unread):
    """Settings of a pool whose log nobody reads; yields them and the pool."""
    settings = replace(own, engine=replace(own.engine, max_cpu_s=0.2), pool=replace(own.pool, lease_s=4.0, grace_s=2.0))
    with LocalPool(settings, stderr=unread) as pool, Dispatcher(settings) as dispatcher:
        yield pool, dispatcher


def test_calls_that_log_are_answered(stalled):
    _, dispatcher = stalled
    calls = [dispatcher.submit(SCRIPT, "flood", [], deadline_s=20) for _ in range(6)]
    assert [[b"done"]] * 6 == [call.result(timeout=30).values for call in calls]
    assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=2).values


def test_worker_that_is_stuck_is_replaced(stalled):
    pool, dispatcher = stalled
    before = children_of(pool.pid)
    assert OutcomeKind.CPU_LIMIT is dispatcher.call(SCRIPT, "match_for_ever", deadline_s=20).kind
    wait_until(lambda: children_of(pool.pid) not in ([], before))
    # The other one is parked.
    assert [b"pong"] == dispatcher.call(QUIET, "ping", deadline_s=20).values


def test_pool_ends_when_it_is_told_to(stalled):
    pool, dispatcher = stalled
    dispatcher.call(SCRIPT, "flood", deadline_s=20)
    began_s = time.monotonic()
    pool.stop()
    # It would have been killed after grace and margin.
    assert STOP_MARGIN_S > time.monotonic() - began_s
