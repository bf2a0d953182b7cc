"""Identical calls in flight share one; everything else does not."""

import asyncio

import pytest

from dispatcher.protocol.errors import ArgumentError
from dispatcher.single_flight import SingleFlight


class Calls:
    """Counts what is submitted; a call is answered when the test says so."""

    def __init__(self):
        self.futures = []

    def submit(self):
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


def run(scenario):
    calls = Calls()
    return asyncio.run(scenario(SingleFlight(), calls)), calls


async def started(*tasks):
    await asyncio.sleep(0)
    return tasks


def test_storm_of_one_check_is_one_call():
    async def scenario(flight, calls):
        tasks = [asyncio.create_task(flight.call(["verify"], [{"user": "joe"}, "x"], calls.submit)) for _ in range(100)]
        await started()
        calls.futures[0].set_result("outcome")
        return await asyncio.gather(*tasks), len(flight)

    (outcomes, left), calls = run(scenario)
    assert ["outcome"] * 100 == outcomes
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
            asyncio.create_task(flight.call(["verify"], [{"user": "joe"}, "x"], calls.submit)),
            asyncio.create_task(flight.call(what, args, calls.submit)),
        ]
        await started()
        for number, future in enumerate(calls.futures):
            future.set_result(number)
        return await asyncio.gather(*tasks)

    assert [0, 1] == run(scenario)[0]


def test_nothing_is_kept_after_the_outcome():
    async def scenario(flight, calls):
        for number in range(2):
            task = asyncio.create_task(flight.call(["verify"], ["x"], calls.submit))
            await started()
            calls.futures[number].set_result(number)
            await task

    assert 2 == len(run(scenario)[1].futures)


def test_caller_that_gives_up_does_not_end_the_others():
    async def scenario(flight, calls):
        first, second = (asyncio.create_task(flight.call(["verify"], ["x"], calls.submit)) for _ in range(2))
        await started()
        first.cancel()
        await started()
        calls.futures[0].set_result("outcome")
        return await second

    assert "outcome" == run(scenario)[0]


def test_argument_that_cannot_travel_is_refused_and_leaves_nothing():
    async def scenario(flight, calls):
        with pytest.raises(ArgumentError):
            await flight.call(["verify"], [object()], calls.submit)
        return len(flight)

    assert 0 == run(scenario)[0]


def test_call_that_cannot_be_made_leaves_nothing():
    async def scenario(flight, _calls):
        def refuse():
            raise ArgumentError("no")

        with pytest.raises(ArgumentError):
            await flight.call(["verify"], ["x"], refuse)
        return len(flight)

    assert 0 == run(scenario)[0]
