"""Hashing runs on threads: it must leave the interpreter to others, give right answers there, and share the memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import wait_until
from workers.passwords.check import verify
from workers.passwords.generate import generate
from workers.passwords.memory_budget import MemoryBudget

LIMIT_S = 30.0


def check(stored, plain=b"secret"):
    return verify(stored, plain, default_scheme="PLAIN", allow_weak=True)


@pytest.mark.parametrize(
    ("name", "rounds"),
    [("SHA512-CRYPT", 1_000_000), ("BLF-CRYPT", 13), ("PBKDF2", 1_500_000), ("ARGON2I", 6)],
)
def test_slow_hash_leaves_the_interpreter_to_others(name, rounds):
    stored = generate(name, b"secret", rounds=rounds)
    with ThreadPoolExecutor(1) as executor:
        began_s = last_s = time.perf_counter()
        longest_s = 0.0
        future = executor.submit(check, stored)
        while not future.done():
            now_s = time.perf_counter()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
        whole_s = time.perf_counter() - began_s
    assert future.result().is_match
    # A library that held the interpreter would have stopped this thread for nearly all of that time.
    assert longest_s < whole_s / 2


def test_threads_do_not_disturb_each_other():
    names = ["SHA512-CRYPT", "DES-CRYPT", "MD5-CRYPT", "BLF-CRYPT", "SHA256-CRYPT", "CRAM-MD5", "PLAIN-MD4"]
    cases = [(generate(name, b"%d" % number, rounds=1), b"%d" % number) for name in names for number in range(10)]
    with ThreadPoolExecutor(8) as executor:
        done = list(executor.map(lambda case: (check(*case).is_match, check(case[0], b"wrong").is_match), cases * 3))
    assert {(True, False)} == set(done)


def start(target):
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


class Holder:
    """A thread that reserves memory until it is told to let go."""

    def __init__(self, budget, amount_kib):
        self.has_it, self._may_end = threading.Event(), threading.Event()
        self._budget, self._amount_kib = budget, amount_kib
        self._thread = start(self._run)

    def _run(self):
        with self._budget.reserve(self._amount_kib):
            self.has_it.set()
            assert self._may_end.wait(LIMIT_S)

    def end(self):
        self._may_end.set()
        self._thread.join(LIMIT_S)


def test_memory_is_waited_for():
    budget = MemoryBudget(10)
    first, second = Holder(budget, 6), Holder(budget, 4)
    assert first.has_it.wait(LIMIT_S)
    assert second.has_it.wait(LIMIT_S)
    third = Holder(budget, 1)
    assert not third.has_it.is_set()
    first.end()
    assert third.has_it.wait(LIMIT_S)
    for holder in (second, third):
        holder.end()
    wait_until(lambda: budget.used_kib == 0, LIMIT_S)


def test_hash_over_the_whole_budget_runs_alone():
    budget = MemoryBudget(10)
    with budget.reserve(1000):
        assert 10 == budget.used_kib


def test_hash_without_memory_never_waits():
    budget = MemoryBudget(10)
    with budget.reserve(10), budget.reserve(0):
        assert 10 == budget.used_kib


def test_memory_is_given_back_after_an_error():
    budget = MemoryBudget(10)
    with pytest.raises(ZeroDivisionError), budget.reserve(10):
        _ = 1 // 0
    assert 0 == budget.used_kib
