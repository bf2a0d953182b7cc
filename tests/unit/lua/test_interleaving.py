"""Calls that wait in one state: whatever the order in which they go on, nothing of one reaches another."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lua.states import make_state
from workers.lua.runtime import StepKind

SCRIPT = b"""
local function plain(id, rounds)
   local event, seen = dovecot.event():append_log_prefix(id .. ": "):add_str("id", id), {}
   for round = 1, rounds do
      local answer = dovecot.wait(id, round)
      seen[#seen + 1] = answer
      event:log_info(id .. "/" .. answer)
   end
   return id, table.concat(seen, ",")
end

local function in_pcall(id, rounds)
   return select(2, pcall(plain, id, rounds)), select(3, pcall(plain, id, 0))
end

local function in_coroutine(id, rounds)
   return coroutine.wrap(function() return plain(id, rounds) end)()
end

local function in_generator(id, rounds)
   local seen = {}
   local generate = coroutine.wrap(function()
      for round = 1, rounds do
         coroutine.yield((dovecot.wait(id, round)))
      end
   end)
   for _ = 1, rounds do
      local answer = generate()
      seen[#seen + 1] = answer
      dovecot.event():append_log_prefix(id .. ": "):log_info(id .. "/" .. answer)
   end
   return id, table.concat(seen, ",")
end

local shapes = { plain, in_coroutine, in_generator }
function f(shape, id, rounds) return shapes[shape](id, rounds) end
"""

CALLS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=8)


@pytest.mark.parametrize("version", ["5.1", "5.3", "5.4", "5.5", "luajit"])
@settings(max_examples=40, deadline=None)
@given(calls=CALLS, order=st.randoms(use_true_random=False))
def test_calls_never_mix(version, calls, order):
    running = ""
    logged = []
    state = make_state(SCRIPT, version, log=lambda _level, text: logged.append((running, text)))
    parked, results, answers = {}, {}, {}

    def settle(name, step):
        if step[0] == StepKind.PARKED:
            parked[name] = step
        else:
            results[name] = step

    for number, (shape, rounds) in enumerate(calls):
        running = f"call{number}"
        answers[running] = []
        settle(running, state.start(b"f", [shape, running.encode(), rounds]))
    while parked:
        running = order.choice(sorted(parked))
        step = parked.pop(running)
        assert running.encode() == step[3]
        answer = b"%s-%d" % (running.encode(), len(answers[running]))
        answers[running].append(answer)
        settle(running, state.resume(step[1], (answer,)))

    for name, given_answers in answers.items():
        assert (StepKind.DONE, 2, name.encode(), b",".join(given_answers)) == results[name]
        expected = [b"%s: %s/%s" % (name.encode(), name.encode(), answer) for answer in given_answers]
        assert expected == [text for owner, text in logged if owner == name]


def test_a_coroutine_that_waits_is_normal_to_everybody_else():
    script = b"""
    function f() shared = coroutine.create(function() return dovecot.wait(5) end) return coroutine.resume(shared) end
    function g()
       return coroutine.status(shared), select(2, coroutine.resume(shared)), select(2, pcall(coroutine.close, shared))
    end
    function h() return coroutine.status(shared) end"""
    state = make_state(script)
    parked = state.start(b"f", [])
    assert StepKind.PARKED == parked[0]
    expected = (b"normal", b"cannot resume non-suspended coroutine", b"cannot close a normal coroutine")
    assert (StepKind.DONE, 3, *expected) == state.start(b"g", [])
    assert (StepKind.DONE, 2, True, 5) == state.resume(parked[1], (5,))
    assert (StepKind.DONE, 1, b"dead") == state.start(b"h", [])


def test_a_wrapped_coroutine_that_waits_cannot_be_called_by_another():
    script = b"""
    shared = coroutine.wrap(function() return dovecot.wait(5) end)
    function f() return shared() end
    function g() return (select(2, pcall(function() shared() end))) end"""
    state = make_state(script)
    parked = state.start(b"f", [])
    assert (StepKind.DONE, 1, b"t.lua:4: cannot resume non-suspended coroutine") == state.start(b"g", [])
    assert (StepKind.DONE, 1, 5) == state.resume(parked[1], (5,))


def test_a_cancelled_call_closes_its_variables():
    logged = []
    script = b"""
    function f()
       local x <close> = setmetatable({}, { __close = function() dovecot.i_info("closed") end })
       dovecot.wait()
    end"""
    state = make_state(script, log=lambda _level, text: logged.append(text))
    parked = state.start(b"f", [])
    state.cancel(parked[1])
    assert [b"closed"] == logged


def test_passthrough_event_that_a_cancelled_call_leaves_behind_is_not_charged_to_the_next_one():
    logged = []
    script = b"""
    function leak()
       local _ <close> = setmetatable({}, { __close = function() dovecot.event():passthrough_event() end })
       dovecot.wait()
    end
    function f() return dovecot.wait("waited") end"""
    state = make_state(script, log=lambda _level, text: logged.append(text))
    parked = state.start(b"leak", [])
    state.cancel(parked[1])
    assert [b"Passthrough event leaked by Lua script at @t.lua:3"] == logged
    assert StepKind.PARKED == state.start(b"f", [])[0]
    assert 1 == len(logged)


CROWD_SCRIPT = b"""
-- Globals are everybody's, locals one's own. What a call reads from a global it read in one go with writing it.
started, ended, log = 0, 0, {}

local function inner(id, rounds)
   local sum = 0
   for round = 1, rounds do sum = sum + dovecot.wait(round) end
   return id .. ":" .. sum
end

local function in_pcall(id, rounds)
   local ok, text = pcall(inner, id, rounds)
   assert(not pcall(function() dovecot.wait(1) error("thrown") end))
   return ok and text
end
local function in_iterator(id, rounds)
   local sum = 0
   local function next_one(_, round)
      if round < rounds then return round + 1, dovecot.wait(round + 1) end
   end
   for _, answer in next_one, nil, 0 do sum = sum + answer end
   return id .. ":" .. sum
end
local function in_metamethod(id, rounds)
   local object = setmetatable({}, { __index = function(_, round) return dovecot.wait(round) end })
   local sum = 0
   for round = 1, rounds do sum = sum + object[round] end
   return id .. ":" .. sum
end
local function in_coroutine(id, rounds)
   local generate = coroutine.wrap(function()
      for round = 1, rounds do coroutine.yield((dovecot.wait(round))) end
   end)
   local sum = 0
   for _ = 1, rounds do sum = sum + generate() end
   return id .. ":" .. sum
end

local shapes = { in_pcall, in_iterator, in_metamethod, in_coroutine }
function f(id, shape, rounds)
   started = started + 1
   local text = shapes[shape](id, rounds)
   ended = ended + 1
   log[id] = (log[id] or 0) + 1
   return text, started, ended
end
"""

#: Concurrent calls of one state.
CROWD = 500


@pytest.mark.parametrize("version", ["5.3", "5.4", "5.5", "luajit"])
@pytest.mark.parametrize("seed", range(3))
def test_five_hundred_calls_share_globals_and_nothing_else(version, seed):
    order = random.Random(seed)
    state = make_state(CROWD_SCRIPT, version)
    wanted = {b"c%d" % number: (order.randint(1, 4), order.randint(0, 5)) for number in range(CROWD)}
    parked, done = [], {}
    waiting = list(wanted.items())
    while waiting or parked:
        # New calls come in between.
        if waiting and (not parked or order.random() < 0.3):
            name, (shape, rounds) = waiting.pop()
            step = state.start(b"f", [name, shape, rounds])
        else:
            index = order.randrange(len(parked))
            parked[index], parked[-1] = parked[-1], parked[index]
            name, step = parked.pop()
            step = state.resume(step[1], step[3:])
        if step[0] == StepKind.PARKED:
            parked.append((name, step))
        else:
            done[name] = step
    sums = {name: sum(range(1, rounds + 1)) for name, (_, rounds) in wanted.items()}
    assert {name: b"%s:%d" % (name, total) for name, total in sums.items()} == {n: step[2] for n, step in done.items()}
    # As many have begun and ended as the globals say, and the order of the ends is what each call saw.
    assert list(range(1, CROWD + 1)) == [step[4] for step in done.values()]
    assert max(step[3] for step in done.values()) == CROWD
