"""Identical checks in flight in one dispatcher share one; everything else does not."""

import asyncio

import pytest

from dispatcher.asked import HeldCall
from dispatcher.protocol.errors import ArgumentError
from dispatcher.protocol.outcome import Outcome, OutcomeKind
from dispatcher.single_flight import SingleFlight


class NobodyElse:
    """What SingleFlight wants of the other dispatchers, where there are none."""

    @staticmethod
    def fingerprint(check):
        return check

    @staticmethod
    def take_off(_fingerprint, held):
        held.send()


class Calls:
    """Counts what is sent; a call is answered when the test says so."""

    def __init__(self):
        self.futures = []
        self.deadlines_s = []

    def hold(self, deadline_s):
        future = asyncio.get_running_loop().create_future()
        self.deadlines_s.append(deadline_s)
        return HeldCall(len(self.futures), future, lambda: self.futures.append(future))

    def answer(self, number, kind=OutcomeKind.OK):
        self.futures[number].set_result(Outcome(number, kind))


def run(scenario, deadline_s=10.0):
    calls = Calls()
    return asyncio.run(scenario(SingleFlight(NobodyElse(), deadline_s), calls)), calls


async def started(*tasks):
    await asyncio.sleep(0)
    return tasks


def test_storm_of_one_check_is_one_call():
    async def scenario(flight, calls):
        tasks = [asyncio.create_task(flight.call(["verify"], [{"user": "joe"}, "x"], calls.hold)) for _ in range(100)]
        await started()
        calls.answer(0)
        return await asyncio.gather(*tasks), len(flight)

    (outcomes, left), calls = run(scenario)
    assert [0] * 100 == [outcome.invocation_id for outcome in outcomes]
    assert (1, 0) == (len(calls.futures), left)


@pytest.mark.parametrize(
    ("what", "args"),
    [
        (["verify"], [{"user": "joe"}, "y"]),
        (["verify"], [{"user": "ann"}, "x"]),
        (["verify"], [{"user": "joe", "session": "1"}, "x"]),
        (["lookup"], [{"user": "joe"}, "x"]),
        (["verify", "other queue"], [{"user": "joe"}, "x"]),
    ],
    ids=str,
)
def test_call_that_differs_is_made(what, args):
    async def scenario(flight, calls):
        tasks = [
            asyncio.create_task(flight.call(["verify"], [{"user": "joe"}, "x"], calls.hold)),
            asyncio.create_task(flight.call(what, args, calls.hold)),
        ]
        await started()
        calls.answer(0)
        calls.answer(1)
        return await asyncio.gather(*tasks)

    assert [0, 1] == [outcome.invocation_id for outcome in run(scenario)[0]]


def test_nothing_is_kept_after_the_outcome():
    async def scenario(flight, calls):
        for number in range(2):
            task = asyncio.create_task(flight.call(["verify"], ["x"], calls.hold))
            await started()
            calls.answer(number)
            await task

    assert 2 == len(run(scenario)[1].futures)


def test_caller_that_gives_up_does_not_end_the_others():
    async def scenario(flight, calls):
        first, second = (asyncio.create_task(flight.call(["verify"], ["x"], calls.hold)) for _ in range(2))
        await started()
        first.cancel()
        await started()
        calls.answer(0)
        return await second

    assert 0 == run(scenario)[0].invocation_id


def test_argument_that_cannot_travel_is_refused_and_leaves_nothing():
    async def scenario(flight, calls):
        with pytest.raises(ArgumentError):
            await flight.call(["verify"], [object()], calls.hold)
        return len(flight)

    assert 0 == run(scenario)[0]


def test_call_that_cannot_be_made_leaves_nothing():
    async def scenario(flight, _calls):
        def refuse(_deadline_s):
            raise ArgumentError("no")

        with pytest.raises(ArgumentError):
            await flight.call(["verify"], ["x"], refuse)
        return len(flight)

    assert 0 == run(scenario)[0]


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_end_of_a_checks_own_is_not_shared_and_every_other_is(kind):
    own_ends = {"deadline_exceeded", "unavailable", "queue_full", "rejected"}

    async def scenario(flight, calls):
        tasks = [asyncio.create_task(flight.call(["verify"], ["x"], calls.hold)) for _ in range(3)]
        await started()
        calls.answer(0, kind)
        while len(calls.futures) < 2 and not tasks[1].done():
            await asyncio.sleep(0)
        if len(calls.futures) == 2:
            calls.answer(1)
        return [(await task).kind for task in tasks]

    again = OutcomeKind.OK if kind.value in own_ends else kind
    outcomes, calls = run(scenario)
    assert [kind, again, again] == outcomes
    assert (2 if kind.value in own_ends else 1) == len(calls.futures)


def test_check_that_is_made_anew_has_what_is_left_of_the_callers_time():
    async def scenario(flight, calls):
        tasks = [asyncio.create_task(flight.call(["verify"], ["x"], calls.hold)) for _ in range(2)]
        await started()
        calls.answer(0, OutcomeKind.UNAVAILABLE)
        while len(calls.futures) < 2:
            await asyncio.sleep(0)
        calls.answer(1)
        await asyncio.gather(*tasks)

    first_s, second_s = run(scenario)[1].deadlines_s
    assert second_s < first_s <= 10.0


def test_caller_without_time_left_is_told_the_end_of_the_check_that_it_joined():
    async def scenario(flight, calls):
        tasks = [asyncio.create_task(flight.call(["verify"], ["x"], calls.hold)) for _ in range(2)]
        await started()
        calls.answer(0, OutcomeKind.DEADLINE_EXCEEDED)
        return [(await task).kind for task in tasks]

    outcomes, calls = run(scenario, deadline_s=0.0)
    assert [OutcomeKind.DEADLINE_EXCEEDED] * 2 == outcomes
    assert 1 == len(calls.futures)
