"""Slots: taken, waited for, handed over."""

import threading

import pytest

from tests.waiting import wait_until
from workers.http.failure import HttpFailure
from workers.http.interruption import Interruption
from workers.http.slots import Slots


def is_free(slots: Slots) -> bool:
    try:
        with slots.taken(Interruption(0.0)):
            return True
    except HttpFailure:
        return False


@pytest.mark.parametrize("count", [1, 2])
def test_as_many_as_the_count_are_taken_at_once(count):
    slots = Slots(count)
    taken = [slots.taken(Interruption(None)) for _ in range(count)]
    for number, one in enumerate(taken):
        assert is_free(slots), number
        one.__enter__()
    assert not is_free(slots)
    taken[0].__exit__(None, None, None)
    assert is_free(slots)


def test_slot_that_was_handed_to_a_request_given_up_goes_on_to_the_next():
    slots = Slots(1)
    interruption = Interruption(None)
    ends = []

    def wait():
        try:
            with slots.taken(interruption):
                ends.append("taken")
        except HttpFailure as failure:
            ends.append(failure.status)

    holder = slots.taken(Interruption(None))
    holder.__enter__()
    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_until(lambda: slots._waiting)
    # Both at the same moment: while the lock is held, the waiter cannot see the one without the other.
    with slots._lock:
        interruption.interrupt()
        slots._waiting.popleft().set()
    waiter.join(10)
    assert [9000] == ends
    assert is_free(slots)
