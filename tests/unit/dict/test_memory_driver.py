import asyncio

import pytest

from workers.dict.change import Commit, IncrementChange, SetChange, UnsetChange
from workers.dict.memory_driver import MemoryDriver
from workers.dict.result import ResultKind


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def driver(clock):
    return MemoryDriver(clock)


def commit(driver, *changes, expire_s=0):
    return asyncio.run(driver.commit(Commit(changes, expire_s)))


def kind_of(driver, name):
    return asyncio.run(driver.lookup(name)).kind


@pytest.mark.parametrize(("passed_s", "kind"), [(0, "ok"), (9.9, "ok"), (10, "not_found"), (11, "not_found")])
def test_name_expires_when_its_time_is_over(driver, clock, passed_s, kind):
    commit(driver, SetChange(b"a", b"1"), expire_s=10)
    clock.now_s += passed_s
    assert kind == kind_of(driver, b"a")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ([SetChange(b"a", b"2")], "ok"),
        ([UnsetChange(b"a"), SetChange(b"a", b"2")], "ok"),
        ([UnsetChange(b"a"), IncrementChange(b"a", 1, is_creating=True)], "ok"),
        ([IncrementChange(b"a", 1, is_creating=False)], "not_found"),
        ([IncrementChange(b"a", 1, is_creating=False), SetChange(b"a", b"2")], "ok"),
        ([SetChange(b"b", b"2")], "not_found"),
    ],
    ids=["set", "unset and set", "unset and create", "increment", "increment and set", "another name"],
)
def test_only_an_increment_keeps_the_expiry(driver, clock, changes, kind):
    commit(driver, SetChange(b"a", b"1"), expire_s=10)
    commit(driver, *changes)
    clock.now_s += 10
    assert kind == kind_of(driver, b"a")


def test_remove_expired_gives_the_memory_back(driver, clock):
    commit(driver, SetChange(b"a", b"1"), expire_s=10)
    clock.now_s += 10
    asyncio.run(driver.remove_expired())
    assert ({}, {}) == (driver._values, driver._expiry_s)


def test_set_of_an_expired_name_does_not_expire(driver, clock):
    commit(driver, SetChange(b"a", b"1"), expire_s=10)
    clock.now_s += 20
    commit(driver, SetChange(b"a", b"2"))
    assert ResultKind.OK == kind_of(driver, b"a")
