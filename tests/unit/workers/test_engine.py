"""The engine by itself: who runs when, who waits outside a full script, and what ends at a deadline."""

import pytest

from dispatcher.protocol.outcome import OutcomeKind
from tests.unit.workers.engine_run import EngineRun, package_of
from workers.operations.catalog import Catalog
from workers.operations.operation import Blocking

SOURCE = b"""
local socket = require "socket"
order, closed = {}, {}

local function note(list, text) list[#list + 1] = text end

function ping() return "pong" end
function nap(seconds, name) note(order, name) socket.sleep(seconds) return name end
function begun() return table.concat(order, " ") end
function spin() while true do end end
function burn(path, seconds)
   local file = io.open(path, "a") file:write("x") file:close()
   local ends = os.clock() + seconds
   while os.clock() < ends do end
end

function nap_and_close(seconds)
   local outer <close> = setmetatable({}, { __close = function() note(closed, "outer") end })
   local inner <close> = setmetatable({}, { __close = function() note(closed, "inner") end })
   socket.sleep(seconds)
end
function spin_and_close()
   local only <close> = setmetatable({}, { __close = function() note(closed, "spun") end })
   spin()
end
function what_was_closed() return table.concat(closed, " ") end
"""

SCRIPT = package_of(SOURCE)
SERIAL = package_of(SOURCE, max_concurrent=1)

#: Seconds: a deadline that does not come, and one that does.
LATE = 20.0
SOON = 0.3


@pytest.fixture
def run():
    with EngineRun() as run:
        yield run


def test_call_outside_a_full_script_ends_at_its_own_deadline(run):
    inside, outside = run.give((SERIAL, "nap", [LATE, "a"], LATE), (SERIAL, "ping", [], SOON))
    assert OutcomeKind.DEADLINE_EXCEEDED is run.outcome(outside, limit_s=5).kind
    assert inside not in run.outcomes


def test_call_whose_deadline_came_outside_keeps_nobody_behind_it_waiting(run):
    calls = [(SERIAL, "nap", [0.3, "a"], LATE), (SERIAL, "ping", [], SOON), (SERIAL, "ping", [], LATE)]
    _, late, last = run.give(*calls)
    assert OutcomeKind.OK is run.outcome(last).kind
    assert OutcomeKind.DEADLINE_EXCEEDED is run.outcomes[late].kind


@pytest.mark.parametrize("cap", [1, 2, 3])
def test_calls_outside_a_full_script_come_in_in_their_order(run, cap):
    script = package_of(SOURCE, max_concurrent=cap)
    first = run.give(*[(script, "nap", [0.02, str(number)], LATE) for number in range(6)])
    second = run.give(*[(script, "nap", [0.02, str(number)], LATE) for number in range(6, 9)])
    for number in (*first, *second):
        run.outcome(number)
    assert [b"0 1 2 3 4 5 6 7 8"] == run.call(script, "begun").values


def test_calls_outside_a_script_that_is_parked_are_told_so():
    with EngineRun(max_cpu_s=0.05, max_limit_hits=1, park_s=30.0) as run:
        _, *outside = run.give((SERIAL, "spin", [], LATE), (SERIAL, "ping", [], LATE), (SERIAL, "ping", [], LATE))
        assert [OutcomeKind.UNAVAILABLE] * 2 == [run.outcome(number).kind for number in outside]


def test_deadline_closes_what_the_waiting_call_had_open_innermost_first(run):
    # Loading is not to take the time.
    run.call(SCRIPT, "ping")
    outcome = run.call(SCRIPT, "nap_and_close", LATE, deadline_s=SOON)
    assert OutcomeKind.DEADLINE_EXCEEDED is outcome.kind
    assert [b"inner outer"] == run.call(SCRIPT, "what_was_closed").values


@pytest.mark.parametrize(
    ("settings", "deadline_s", "kind"),
    [
        pytest.param({"max_cpu_s": 0.05}, LATE, OutcomeKind.CPU_LIMIT, id="processor time"),
        pytest.param({"max_cpu_s": 10.0}, SOON, OutcomeKind.DEADLINE_EXCEEDED, id="deadline"),
    ],
)
def test_call_that_is_ended_while_it_computes_closes_what_it_had_open(settings, deadline_s, kind):
    with EngineRun(**settings) as run:
        run.call(SCRIPT, "ping")
        assert kind is run.call(SCRIPT, "spin_and_close", deadline_s=deadline_s).kind
        assert [b"spun"] == run.call(SCRIPT, "what_was_closed").values


def kinds_until_parked(run, at_once):
    """Have a script spin until its deadline, so many calls at a time; returns how the first of each time ended."""
    kinds = []
    while OutcomeKind.UNAVAILABLE not in kinds and len(kinds) < 12:
        first, *others = run.give(*[(SCRIPT, "spin", [], 1.0)] * at_once)
        kinds.append(run.outcome(first).kind)
        for number in others:
            run.outcome(number)
    return kinds


# Of their time they get a tenth at least, also on a machine with other things to do, and never all of it.
@pytest.mark.parametrize(("at_once", "max_cpu_s"), [(1, 1.2), (4, 0.4)])
def test_script_whose_calls_compute_until_their_deadline_is_parked(at_once, max_cpu_s):
    with EngineRun(max_cpu_s=max_cpu_s, max_limit_hits=2) as run:
        run.call(SCRIPT, "ping")
        *before, last = kinds_until_parked(run, at_once)
    assert OutcomeKind.UNAVAILABLE is last
    assert {OutcomeKind.DEADLINE_EXCEEDED} == set(before)


def test_script_whose_short_calls_miss_their_deadline_in_an_overloaded_worker_is_not_parked():
    with EngineRun(max_cpu_s=1.0, max_limit_hits=2) as run:
        run.call(SCRIPT, "ping")
        numbers = run.give(*[(SCRIPT, "burn", ["/dev/null", 0.03], SOON)] * 100)
        kinds = [run.outcome(number).kind for number in numbers]
        assert 50 < kinds.count(OutcomeKind.DEADLINE_EXCEEDED)
        assert OutcomeKind.UNAVAILABLE not in kinds
        assert [b"pong"] == run.call(SCRIPT, "ping").values


def test_answer_does_not_wait_for_calls_of_its_turn_that_compute(run, tmp_path):
    begun = tmp_path / "begun"
    run.call(SCRIPT, "ping")
    begun_at_delivery = []
    run.on_delivery = lambda: begun_at_delivery.append(begun.stat().st_size if begun.exists() else 0)
    first, *_ = run.give((SCRIPT, "ping", [], LATE), *[(SCRIPT, "burn", [str(begun), 0.05], LATE)] * 20)
    run.outcome(first)
    # The one that was computing when the answer left.
    assert 1 >= begun_at_delivery[0]


@pytest.mark.parametrize("source", [SOURCE, b"function ping() return 'pong' end"], ids=["own script", "another script"])
def test_call_runs_beside_those_that_compute_without_end(source):
    with EngineRun(max_cpu_s=60.0) as run:
        spinning = run.give(*[(SCRIPT, "spin", [], LATE)] * 4)
        for _ in range(5):
            assert [b"pong"] == run.call(package_of(source), "ping", deadline_s=LATE).values
        assert not run.outcomes.keys() & set(spinning)


def test_bug_in_an_operation_ends_the_call_that_met_it_and_no_other():
    # Lua can be given no such thing.
    catalog = Catalog({b"dns_lookup": Blocking(lambda *_args: (object(),))})
    looking = package_of(b"function look() return dovecot.dns_client():lookup('host') end")
    with EngineRun(catalog) as run:
        (waiting,) = run.give((SCRIPT, "nap", [0.2, "rested"], LATE))
        outcome = run.call(looking, "look")
        assert (OutcomeKind.SCRIPT_ERROR, "internal error: TypeError") == (outcome.kind, outcome.error)
        assert [b"rested"] == run.outcome(waiting).values


def test_thousand_sleepers_do_not_hold_up_a_call(run):
    sleepers = run.give(*[(SCRIPT, "nap", [LATE, ""], LATE)] * 1000)
    assert [b"pong"] == run.call(SCRIPT, "ping", deadline_s=5).values
    assert not run.outcomes.keys() & set(sleepers)


def test_engine_that_was_abandoned_between_two_calls_begins_none_any_more(run):
    run.call(SCRIPT, "ping")
    run.engine.abandon()
    (number,) = run.give((SCRIPT, "ping", [], LATE))
    with pytest.raises(AssertionError):
        run.outcome(number, limit_s=0.2)
    run.is_stuck.set()
