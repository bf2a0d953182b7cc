import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.mapping import map_calls


class Pool:
    """Answers calls when it is told to."""

    def __init__(self):
        self.asked = {}

    def ask(self, call):
        self.asked[call] = asyncio.get_running_loop().create_future()
        return self.asked[call]

    def answer(self, call):
        self.asked[call].set_result(f"outcome {call}")


async def stream(calls):
    for call in calls:
        yield call


async def take(outcomes, count):
    return [await anext(outcomes) for _ in range(count)]


def test_outcomes_come_in_order_however_they_are_answered():
    async def scenario():
        pool = Pool()
        taking = asyncio.ensure_future(take(map_calls(pool.ask, range(3), ordered=True, in_flight=3), 3))
        await asyncio.sleep(0)
        for call in (2, 0, 1):
            pool.answer(call)
        return await taking

    assert [(call, f"outcome {call}") for call in range(3)] == asyncio.run(scenario())


def test_unordered_outcomes_come_as_they_are_answered():
    async def scenario():
        pool = Pool()
        taking = asyncio.ensure_future(take(map_calls(pool.ask, range(3), ordered=False, in_flight=3), 3))
        await asyncio.sleep(0)
        for call in (2, 0, 1):
            pool.answer(call)
            await asyncio.sleep(0)
        return await taking

    assert [2, 0, 1] == [call for call, _ in asyncio.run(scenario())]


@pytest.mark.parametrize("make", [list, stream], ids=["iterable", "stream"])
@pytest.mark.parametrize("in_flight", [1, 2, 5])
def test_no_more_calls_are_made_than_may_be_in_flight(make, in_flight):
    async def scenario():
        pool = Pool()
        outcomes = map_calls(pool.ask, make(range(10)), ordered=True, in_flight=in_flight)
        taking = asyncio.ensure_future(anext(outcomes))
        for _ in range(20):
            await asyncio.sleep(0)
        asked = len(pool.asked)
        pool.answer(0)
        await taking
        await outcomes.aclose()
        return asked

    assert in_flight == asyncio.run(scenario())


@pytest.mark.parametrize("in_flight", [0, -1])
def test_in_flight_below_one_is_refused(in_flight):
    with pytest.raises(ValueError, match="in_flight must be at least 1"):
        map_calls(lambda _call: None, [], ordered=True, in_flight=in_flight)


@pytest.mark.parametrize("make", [list, stream], ids=["iterable", "stream"])
@pytest.mark.parametrize("ordered", [True, False])
def test_no_calls_give_no_outcomes(make, ordered):
    async def scenario():
        return [pair async for pair in map_calls(Pool().ask, make([]), ordered=ordered, in_flight=3)]

    assert [] == asyncio.run(scenario())


@pytest.mark.parametrize("make", [list, stream], ids=["iterable", "stream"])
def test_leaving_early_waits_for_nothing_more(make):
    async def scenario():
        pool = Pool()
        outcomes = map_calls(pool.ask, make(range(5)), ordered=True, in_flight=3)
        taking = asyncio.ensure_future(anext(outcomes))
        while 0 not in pool.asked:
            await asyncio.sleep(0)
        pool.answer(0)
        await taking
        await outcomes.aclose()
        return [pool.asked[call].cancelled() for call in pool.asked if call]

    assert all(asyncio.run(scenario()))


def test_error_of_the_source_reaches_the_caller():
    async def broken():
        yield 1
        message = "source broke"
        raise OSError(message)

    async def scenario():
        pool = Pool()
        outcomes = map_calls(pool.ask, broken(), ordered=True, in_flight=3)
        taking = asyncio.ensure_future(anext(outcomes))
        while 1 not in pool.asked:
            await asyncio.sleep(0)
        pool.answer(1)
        await taking
        await anext(outcomes)

    with pytest.raises(OSError, match="source broke"):
        asyncio.run(scenario())


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(12)), st.integers(1, 12), st.booleans(), st.booleans())
def test_every_call_gets_its_own_outcome_once(order, in_flight, ordered, is_stream):
    async def scenario():
        pool = Pool()

        async def answer_all():
            for call in order:
                while call not in pool.asked and len(pool.asked) < 12:
                    # What is asked must be answered first, or nothing more is asked.
                    for asked, future in list(pool.asked.items()):
                        if not future.done():
                            pool.answer(asked)
                    await asyncio.sleep(0)
                if not pool.asked[call].done():
                    pool.answer(call)
                await asyncio.sleep(0)

        answering = asyncio.ensure_future(answer_all())
        source = stream(range(12)) if is_stream else range(12)
        pairs = [pair async for pair in map_calls(pool.ask, source, ordered=ordered, in_flight=in_flight)]
        await answering
        return pairs

    pairs = asyncio.run(asyncio.wait_for(scenario(), 10))
    assert {(call, f"outcome {call}") for call in range(12)} == set(pairs)
    if ordered:
        assert list(range(12)) == [call for call, _ in pairs]
