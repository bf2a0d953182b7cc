"""Kept answers: for their time, within the limits, the least recently used goes first."""

import pytest

from dispatcher.protocol.settings import DnsSettings
from workers.dns.cache import AnswerCache
from workers.dns.error import ResolveCode, ResolveError

ANSWER = ("192.0.2.1",)


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def make_cache(clock, **settings):
    return AnswerCache(DnsSettings(**({"cache_entries": 2} | settings)), clock)


@pytest.mark.parametrize(("after_s", "expected"), [(0, ANSWER), (9.9, ANSWER), (10, None), (11, None)])
def test_answer_holds_for_its_time(clock, after_s, expected):
    cache = make_cache(clock)
    cache.put(b"a", ANSWER, 10)
    clock.now_s += after_s
    assert expected == cache.get(b"a")


@pytest.mark.parametrize(("ttl_s", "kept_s"), [(0, 5), (5, 5), (6, 6), (20, 20), (21, 20)])
def test_time_is_kept_within_the_limits(clock, ttl_s, kept_s):
    cache = make_cache(clock, cache_min_ttl_s=5, cache_max_ttl_s=20)
    cache.put(b"a", ANSWER, ttl_s)
    clock.now_s += kept_s - 0.1
    assert ANSWER == cache.get(b"a")
    clock.now_s += 0.1
    assert cache.get(b"a") is None


@pytest.mark.parametrize(("entries", "expected_count"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3)])
def test_number_of_entries_is_bounded(clock, entries, expected_count):
    cache = make_cache(clock, cache_entries=entries)
    for name in (b"a", b"b", b"c"):
        cache.put(name, ANSWER, 10)
    assert expected_count == len(cache)


def test_least_recently_used_goes_first(clock):
    cache = make_cache(clock)
    cache.put(b"a", ANSWER, 10)
    cache.put(b"b", ANSWER, 10)
    cache.get(b"a")
    cache.put(b"c", ANSWER, 10)
    assert [ANSWER, None, ANSWER] == [cache.get(name) for name in (b"a", b"b", b"c")]


def test_negative_answer_is_kept_too(clock):
    cache = make_cache(clock)
    error = ResolveError(ResolveCode.NONAME)
    cache.put(b"a", error, 10)
    assert error is cache.get(b"a")
