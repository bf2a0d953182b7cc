import asyncio

import pytest

from dispatcher.batch_input import Record
from dispatcher.batch_window import Pace, Window
from dispatcher.protocol.outcome import Outcome, OutcomeKind


def add(window, number):
    future = asyncio.get_running_loop().create_future()
    window.add(Record(number, None, [], 10), future, 0.0)
    return future


def answer(future):
    future.set_result(Outcome(1, OutcomeKind.OK))


async def taken(window):
    return [asked.record.line for asked in await window.take()]


@pytest.mark.parametrize(("is_ordered", "expected"), [(True, [[1, 2], [3]]), (False, [[2], [1, 3]])])
def test_calls_are_taken_in_order_or_as_they_are_answered(is_ordered, expected):
    async def body():
        window = Window(is_ordered=is_ordered)
        first, second, third = [add(window, number) for number in (1, 2, 3)]
        answer(second)
        waiting = asyncio.ensure_future(taken(window))
        if is_ordered:
            await asyncio.wait((waiting,), timeout=0.01)
            answer(first)
            found = [await waiting]
            answer(third)
        else:
            found = [await waiting]
            answer(first)
            answer(third)
        return [*found, await taken(window)]

    assert expected == asyncio.run(body())


@pytest.mark.parametrize("is_ordered", [True, False])
def test_closed_window_ends_when_it_is_empty(is_ordered):
    async def body():
        window = Window(is_ordered=is_ordered)
        future = add(window, 1)
        window.close()
        answer(future)
        return await taken(window), await taken(window), (window.count, window.bytes)

    assert ([1], [], (0, 0)) == asyncio.run(body())


@pytest.mark.parametrize("is_ordered", [True, False])
def test_waiting_taker_is_woken_by_close(is_ordered):
    async def body():
        window = Window(is_ordered=is_ordered)
        waiting = asyncio.ensure_future(window.take())
        await asyncio.wait((waiting,), timeout=0.01)
        window.close()
        return await waiting

    assert [] == asyncio.run(body())


@pytest.mark.parametrize("is_ordered", [True, False])
def test_cancelled_taker_leaves_the_call_alone(is_ordered):
    async def body():
        window = Window(is_ordered=is_ordered)
        future = add(window, 1)
        waiting = asyncio.ensure_future(window.take())
        await asyncio.wait((waiting,), timeout=0.01)
        waiting.cancel()
        await asyncio.wait((waiting,))
        return future.cancelled()

    assert not asyncio.run(body())


def limits(pace, *answers_s):
    """Note one answer every ten seconds and return the limit after each."""
    found = []
    for turn, answered_after_s in enumerate(answers_s, 1):
        pace.note(answered_after_s, turn * 10.0)
        found.append(pace.limit)
    return found


def test_quick_answers_double_the_pace_up_to_the_maximum():
    assert [16, 32, 50, 50] == limits(Pace(10.0, 8, 50), 0.1, 0.1, 0.1, 0.1)


def test_slow_answers_halve_the_pace_down_to_two():
    assert [4, 2, 2] == limits(Pace(10.0, 8), 9.0, 9.0, 9.0)


def test_answers_in_between_leave_the_pace():
    assert [8, 8] == limits(Pace(10.0, 8), 1.0, 2.5)


def test_pace_is_not_changed_again_before_its_effect_can_be_seen():
    pace = Pace(10.0, 8)
    pace.note(5.0, 100.0)
    pace.note(5.0, 104.9)
    assert 4 == pace.limit
    pace.note(5.0, 105.0)
    assert 2 == pace.limit


def test_maximum_of_one_is_kept():
    assert [1, 1] == limits(Pace(10.0, 8, 1), 0.1, 9.0)
