"""Parked tasks: found by token, due at their time, and nothing left of those that are gone."""

import time
from dataclasses import dataclass

import pytest

from workers.parking import MAX_STALE_COUNT, ParkingLot


@dataclass
class Sleeper:
    """As much of a task as a parking lot looks at."""

    deadline_unix_s: float


@pytest.fixture
def lot():
    return ParkingLot()


def test_task_is_taken_once(lot):
    task = Sleeper(time.time() + 60)
    token = lot.enter(task, None)
    assert task is lot.take(token).task
    assert None is lot.take(token)


def test_task_is_due_at_its_deadline_and_a_sleeper_at_its_time(lot):
    late, early = Sleeper(time.time() + 60), Sleeper(time.time() - 1)
    lot.wake_at(lot.enter(late, "late"), time.time() - 2)
    lot.enter(early, "early")
    assert [("late", True), ("early", False)] == [(place.coroutine, is_wake) for _, place, is_wake in lot.take_due()]


def test_nobody_waits_in_an_empty_lot(lot):
    lot.take(lot.enter(Sleeper(time.time() + 60), None))
    assert None is lot.next_wait_s()


def test_waits_that_are_over_take_no_memory_until_their_deadline(lot):
    lot.enter(Sleeper(time.time() + 60), None)
    for _ in range(10 * MAX_STALE_COUNT):
        lot.take(lot.enter(Sleeper(time.time() + 86_400), None))
    assert repr(lot).startswith("<ParkingLot: 1 parked, ")
    assert int(repr(lot).split()[3]) <= MAX_STALE_COUNT + 4
    assert 50 < lot.next_wait_s() <= 60
