"""Operations on threads and on the loop: results, failures, cancellation, the end."""

import asyncio
import threading

import pytest

from tests.waiting import wait_until
from workers.operations.catalog import Catalog
from workers.operations.operation import Asynchronous, Blocking
from workers.operations.runner import OperationRunner

#: Longer than anything here takes.
LIMIT_S = 10


class Delivered:
    """What a runner hands back."""

    def __init__(self):
        self.results = {}

    def __call__(self, token, results):
        self.results[token] = results

    def wait_for(self, token):
        wait_until(lambda: token in self.results, LIMIT_S)
        return self.results[token]


class Trap:
    """A thing that operations wait in until they are let go or cancelled."""

    def __init__(self):
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.cancelled = threading.Event()
        self.closed = threading.Event()

    def block(self):
        self.entered.set()
        self.gate.wait(LIMIT_S)
        return (b"let go",)

    def block_with_token(self, token, number):
        token.on_cancel(self.gate.set)
        self.block()
        if token.is_cancelled:
            self.cancelled.set()
        return (number,)

    async def wait(self):
        self.entered.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def close(self):
        # Tasks end before what they use is closed.
        assert self.cancelled.is_set()
        self.closed.set()


def fail():
    raise ValueError("no business of the script's")


async def fail_later():
    await asyncio.sleep(0)
    raise ValueError("no business of the script's")


async def give_up():
    raise asyncio.CancelledError


async def add(left, right):
    await asyncio.sleep(0)
    return (left + right,)


@pytest.fixture
def trap():
    trap = Trap()
    yield trap
    trap.gate.set()


@pytest.fixture
def delivered():
    return Delivered()


@pytest.fixture
def runner(trap, delivered):
    operations = {
        b"add": Asynchronous(add),
        b"add_blocking": Blocking(lambda left, right: (left + right,)),
        b"fail": Blocking(fail),
        b"fail_later": Asynchronous(fail_later),
        b"give_up": Asynchronous(give_up),
        b"block": Blocking(trap.block),
        b"block_with_token": Blocking(trap.block_with_token, takes_token=True),
        b"wait": Asynchronous(trap.wait),
    }
    runner = OperationRunner(1, Catalog(operations, closers=(trap.close,)), delivered)
    yield runner
    trap.cancelled.set()
    runner.stop()


@pytest.mark.parametrize("name", [b"add", b"add_blocking"])
def test_results_are_delivered_with_the_token(runner, delivered, name):
    runner.start(7, name, [1, 2])
    assert (3,) == delivered.wait_for(7)


@pytest.mark.parametrize(
    ("name", "error"),
    [(b"fail", b"ValueError"), (b"fail_later", b"ValueError"), (b"give_up", b"CancelledError")],
)
def test_what_an_operation_raises_becomes_nil_and_a_text(runner, delivered, name, error):
    runner.start(1, name, [])
    assert (None, b"internal error: " + error) == delivered.wait_for(1)


def test_wrong_arguments_become_nil_and_a_text_too(runner, delivered):
    runner.start(1, b"add", [1])
    assert (None, b"internal error: TypeError") == delivered.wait_for(1)


def test_only_operations_of_the_catalogue_are_known(runner):
    assert (True, False) == (runner.is_known(b"add"), runner.is_known(b"subtract"))


def test_cancelled_task_ends_and_delivers_nothing(runner, delivered, trap):
    runner.start(1, b"wait", [])
    assert trap.entered.wait(LIMIT_S)
    runner.cancel(1)
    assert trap.cancelled.wait(LIMIT_S)
    runner.start(2, b"add", [1, 1])
    delivered.wait_for(2)
    assert {2: (2,)} == delivered.results


def test_task_that_is_cancelled_in_the_same_breath_never_delivers(runner, delivered):
    runner.start(1, b"add", [1, 1])
    runner.cancel(1)
    runner.start(2, b"add", [1, 1])
    delivered.wait_for(2)
    assert [2] == list(delivered.results)


def test_blocking_operation_that_waits_for_a_thread_is_dropped(runner, delivered, trap):
    runner.start(1, b"block", [])
    assert trap.entered.wait(LIMIT_S)
    runner.start(2, b"add_blocking", [1, 1])
    runner.start(3, b"add_blocking", [2, 2])
    runner.cancel(2)
    trap.gate.set()
    assert (4,) == delivered.wait_for(3)
    assert {1: (b"let go",), 3: (4,)} == delivered.results


def test_running_blocking_operation_hears_of_its_cancellation(runner, delivered, trap):
    runner.start(1, b"block_with_token", [5])
    assert trap.entered.wait(LIMIT_S)
    runner.cancel(1)
    assert trap.cancelled.wait(LIMIT_S)
    runner.start(2, b"add_blocking", [1, 1])
    delivered.wait_for(2)
    assert [2] == list(delivered.results)


def test_operation_with_a_token_that_nobody_cancels_delivers(runner, delivered, trap):
    trap.gate.set()
    runner.start(1, b"block_with_token", [5])
    assert (5,) == delivered.wait_for(1)


@pytest.mark.parametrize("name", [b"add", b"add_blocking"])
def test_cancelling_what_has_ended_or_never_was_does_nothing(runner, delivered, name):
    runner.start(1, name, [1, 1])
    delivered.wait_for(1)
    runner.cancel(1)
    runner.cancel(99)
    runner.start(2, name, [2, 2])
    assert (4,) == delivered.wait_for(2)


def test_stop_cancels_tasks_then_closes_what_they_use(runner, delivered, trap):
    runner.start(1, b"wait", [])
    assert trap.entered.wait(LIMIT_S)
    runner.stop()
    assert (True, True) == (trap.cancelled.is_set(), trap.closed.is_set())
    assert {} == delivered.results


def test_stop_tells_blocking_operations(runner, trap):
    runner.start(1, b"block_with_token", [5])
    assert trap.entered.wait(LIMIT_S)
    runner.stop()
    assert trap.cancelled.wait(LIMIT_S)


def test_worker_without_asynchronous_operations_has_no_loop(runner, delivered):
    before = set(threading.enumerate())
    runner.start(1, b"add_blocking", [1, 1])
    delivered.wait_for(1)
    # Other tests have left loops of their own.
    assert "loop" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_500_operations_at_once_all_come_back(runner, delivered):
    for token in range(500):
        runner.start(token, b"add", [token, 1])
    wait_until(lambda: len(delivered.results) == 500, LIMIT_S)
    assert {token: (token + 1,) for token in range(500)} == delivered.results
