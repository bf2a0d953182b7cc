"""Operations that compute run one at a time, whatever else waits; password checks are such operations."""

import threading

import pytest

from dispatcher.protocol.settings import Settings
from tests.waiting import wait_until
from workers.auth.password_check import PASSWORD_VERIFY, RETURNED_PASSWORD
from workers.operations.catalog import Catalog, standard_catalog
from workers.operations.operation import Blocking
from workers.operations.runner import OperationRunner

#: Longer than anything here takes.
LIMIT_S = 10


class Room:
    """An operation that stays until it is let go, and counts who is inside."""

    def __init__(self):
        self.gate = threading.Semaphore(0)
        self.inside_count = 0
        self.largest_count = 0
        self._lock = threading.Lock()

    def __call__(self, number):
        with self._lock:
            self.inside_count += 1
            self.largest_count = max(self.largest_count, self.inside_count)
        self.gate.acquire(timeout=LIMIT_S)
        with self._lock:
            self.inside_count -= 1
        return (number,)


@pytest.fixture
def room():
    return Room()


@pytest.fixture
def results():
    return {}


@pytest.fixture
def runner(room, results):
    operations = {b"compute": Blocking(room, is_computing=True), b"wait": Blocking(lambda number: (number,))}
    runner = OperationRunner(4, Catalog(operations), results.__setitem__)
    yield runner
    room.gate.release(100)
    runner.stop()


def test_they_run_one_at_a_time_in_the_order_of_their_start(runner, room, results):
    for number in range(5):
        runner.start(number, b"compute", [number])
    for number in range(5):
        room.gate.release()
        wait_until(lambda: number in results, LIMIT_S)  # noqa: B023 - waited for within the round
    assert list(range(5)) == list(results)
    assert 1 == room.largest_count


def test_what_waits_does_not_wait_for_what_computes(runner, room, results):
    for number in range(5):
        runner.start(number, b"compute", [number])
    wait_until(lambda: room.inside_count == 1, LIMIT_S)
    runner.start(9, b"wait", [9])
    wait_until(lambda: 9 in results, LIMIT_S)
    assert {9: (9,)} == results


def test_cancelled_one_is_not_begun(runner, room, results):
    for number in range(3):
        runner.start(number, b"compute", [number])
    wait_until(lambda: room.inside_count == 1, LIMIT_S)
    runner.cancel(1)
    room.gate.release(2)
    wait_until(lambda: 2 in results, LIMIT_S)
    assert {0: (0,), 2: (2,)} == results


@pytest.mark.parametrize("name", [PASSWORD_VERIFY, RETURNED_PASSWORD])
def test_password_checks_compute(name):
    assert standard_catalog(Settings()).operations[name].is_computing
