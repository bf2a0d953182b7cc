"""The loop's thread: one wake-up for a batch, results for blocking code, the end."""

import asyncio
import threading

import pytest

from workers.operations.loop_thread import LoopStoppedError, LoopThread

#: Longer than anything here takes.
LIMIT_S = 10


@pytest.fixture
def loop():
    loop = LoopThread()
    yield loop
    loop.stop()


def test_calls_run_in_the_order_in_which_they_were_posted(loop):
    seen, is_over = [], threading.Event()
    for number in range(100):
        loop.post(lambda number=number: seen.append(number))
    loop.post(is_over.set)
    assert is_over.wait(LIMIT_S)
    assert list(range(100)) == seen


def test_calls_posted_while_the_loop_is_busy_need_one_wake_up(loop):
    entered, gate, is_over = threading.Event(), threading.Event(), threading.Event()
    loop.post(lambda: (entered.set(), gate.wait(LIMIT_S)))
    assert entered.wait(LIMIT_S)
    before_count = loop.wake_count
    for _ in range(100):
        loop.post(lambda: None)
    loop.post(is_over.set)
    gate.set()
    assert is_over.wait(LIMIT_S)
    assert loop.wake_count - before_count <= 1


def test_call_that_raises_does_not_stop_those_behind_it(loop):
    is_over = threading.Event()
    loop.post(lambda: 1 / 0)
    loop.post(is_over.set)
    assert is_over.wait(LIMIT_S)


def test_blocking_code_gets_a_result(loop):
    async def answer():
        await asyncio.sleep(0)
        return 42

    assert 42 == loop.result_of(answer, LIMIT_S)


def test_blocking_code_gets_what_was_raised(loop):
    async def fail():
        raise LookupError("nobody there")

    with pytest.raises(LookupError, match="nobody there"):
        loop.result_of(fail, LIMIT_S)


def test_what_takes_too_long_is_cancelled(loop):
    cancelled = threading.Event()

    async def wait():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        loop.result_of(wait, 0.01)
    assert cancelled.wait(LIMIT_S)


def test_result_that_is_waited_for_at_the_end_is_an_error(loop):
    entered = threading.Event()
    raised = []

    async def wait():
        entered.set()
        await asyncio.get_running_loop().create_future()

    def ask():
        try:
            loop.result_of(wait, LIMIT_S)
        except LoopStoppedError as exc:
            raised.append(str(exc))

    thread = threading.Thread(target=ask)
    thread.start()
    assert entered.wait(LIMIT_S)
    loop.stop()
    thread.join(LIMIT_S)
    assert ["the loop ended meanwhile"] == raised


def test_nothing_can_be_asked_after_the_end(loop):
    loop.post(lambda: None)
    loop.stop()
    loop.stop()
    with pytest.raises(LoopStoppedError):
        loop.post(lambda: None)


def test_loop_that_never_started_can_be_stopped_and_stays_so(loop):
    loop.stop()
    with pytest.raises(LoopStoppedError):
        loop.post(lambda: None)


def test_closer_that_fails_does_not_keep_the_thread(loop):
    async def fail():
        raise OSError("already closed")

    before = set(threading.enumerate())
    loop.post(lambda: None)
    loop.stop([fail])
    assert set() == set(threading.enumerate()) - before
