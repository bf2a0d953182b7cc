"""What follows an answer, decided without a server."""

import pytest

from workers.http.client import make_rules
from workers.http.following import Follow, decide, retry_after
from workers.http.response_head import Head
from workers.http.settings import ClientSettings

NOW = 784111777
DATE = (b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT")


def head(status, *fields):
    return Head((1, 1), status, b"", list(fields))


def rules(**settings):
    return make_rules(ClientSettings(**settings), "read")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], None),
        ([(b"Retry-After", b"5")], None),
        ([DATE, (b"Retry-After", b"5")], NOW + 5),
        ([(b"retry-after", b"5"), DATE], NOW + 5),
        ([DATE, (b"Retry-After", b"0")], NOW),
        ([DATE, (b"Retry-After", b"-5")], None),
        ([DATE, (b"Retry-After", b"5.5")], None),
        ([DATE, (b"Retry-After", b"")], None),
        ([(b"Date", b"now"), (b"Retry-After", b"5")], None),
        ([(b"Retry-After", b"Sun, 06 Nov 1994 08:49:40 GMT")], NOW + 3),
    ],
)
def test_retry_after_counts_from_the_date(fields, expected):
    assert expected == retry_after(head(503, *fields))


@pytest.mark.parametrize(
    ("delay", "expected"), [(0, Follow.NOTHING), (1, Follow.RETRY), (7, Follow.RETRY), (8, Follow.NOTHING)]
)
def test_503_is_retried_within_the_cap(delay, expected):
    following = decide(
        head(503, DATE, (b"Retry-After", b"%d" % delay)), rules(max_auto_retry_delay_s=7), NOW, is_expecting=False
    )
    assert expected is following.kind


@pytest.mark.parametrize(("timeout_ms", "expected"), [(7999, Follow.NOTHING), (8000, Follow.RETRY)])
def test_cap_is_the_attempts_time_out_in_whole_seconds(timeout_ms, expected):
    answer = head(503, DATE, (b"Retry-After", b"8"))
    assert expected is decide(answer, rules(request_timeout_ms=timeout_ms), NOW, is_expecting=False).kind


def test_delay_counts_from_now_and_not_from_the_servers_clock():
    answer = head(503, DATE, (b"Retry-After", b"60"))
    assert Follow.RETRY is decide(answer, rules(max_auto_retry_delay_s=5), NOW + 56, is_expecting=False).kind
    assert Follow.NOTHING is decide(answer, rules(max_auto_retry_delay_s=5), NOW + 60, is_expecting=False).kind


@pytest.mark.parametrize(
    ("settings", "kind", "expected"),
    [
        ({}, "read", (1, 60.0)),
        ({"read_request_max_attempts": 4, "read_request_timeout_ms": 500}, "read", (4, 0.5)),
        ({"read_request_max_attempts": 4, "read_request_timeout_ms": 500}, "write", (1, 60.0)),
        ({"write_request_max_attempts": 2, "request_timeout_ms": 1500}, "write", (2, 1.5)),
        ({"delete_request_max_attempts": 3, "request_max_attempts": 2}, "delete", (3, 60.0)),
        ({"read_request_max_attempts": 4, "request_max_attempts": 2}, "", (2, 60.0)),
    ],
)
def test_rules_of_a_method_override_the_general_ones(settings, kind, expected):
    made = make_rules(ClientSettings(**settings), kind)
    assert expected == (made.max_attempts, made.timeout_s)


def test_connect_time_out_is_the_general_time_out_unless_set():
    assert 1.5 == rules(request_timeout_ms=1500, read_request_timeout_ms=9000).connect_timeout_s
    assert 0.25 == rules(request_timeout_ms=1500, connect_timeout_ms=250).connect_timeout_s
