"""Pauses between connects, counted without waiting for them."""

import time

import pytest

from workers.http.backoff import Backoff


def failed(backoff, times):
    for _ in range(times):
        backoff.failed(time.monotonic())


def test_no_pause_without_a_failure():
    assert 0.0 == Backoff(10.0, 60.0).remaining_s()


@pytest.mark.parametrize(("times", "expected_s"), [(1, 10), (2, 20), (3, 40), (4, 60), (50, 60)])
def test_pause_doubles_up_to_the_maximum(times, expected_s):
    backoff = Backoff(10.0, 60.0)
    failed(backoff, times)
    assert expected_s - 1 < backoff.remaining_s() <= expected_s


def test_success_ends_the_pause_and_starts_from_the_first():
    backoff = Backoff(10.0, 60.0)
    failed(backoff, 3)
    backoff.succeeded()
    assert 0.0 == backoff.remaining_s()
    failed(backoff, 1)
    assert backoff.remaining_s() <= 10


def test_failures_of_the_same_moment_count_once():
    backoff = Backoff(10.0, 60.0)
    started_s = time.monotonic()
    for _ in range(100):
        backoff.failed(started_s)
    assert backoff.remaining_s() <= 10
