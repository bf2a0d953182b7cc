"""Which ends are tried again (reference §4.7)."""

import re
import time

import pytest

from tests.integration.http.fault_server import OK, answer
from workers.http.http_date import http_date

#: No test waits for Dovecot's own first pause.
QUICK = {"connect_backoff_time_ms": 1, "connect_backoff_max_time_ms": 1}


def hang_up(talk):
    talk.close()


def reset(talk):
    talk.reset()


def unavailable(*fields: str) -> bytes:
    return answer("503 Service Unavailable", *fields)


def dated(seconds: str, now_unix_s: float | None = None) -> tuple[str, str]:
    return f"Date: {http_date(now_unix_s).decode()}", f"Retry-After: {seconds}"


@pytest.mark.parametrize("fault", [hang_up, reset])
def test_lost_connection_is_tried_again(server, ask, fault):
    server.on("/", fault, OK)
    response = ask(server.origin + "/", request_max_attempts=2, **QUICK)
    assert 200 == response.status
    assert re.fullmatch(rb"OK \(1 retries in \d+\.\d{3} secs\)", response.reason)
    assert 2 == response.stats.attempts


def test_post_is_tried_again_with_its_payload(server, ask):
    server.on("/", hang_up, OK)
    assert 200 == ask(server.origin + "/", "POST", {"payload": b"data"}, request_max_attempts=2, **QUICK).status
    assert [True, True] == [asked.endswith(b"\r\n\r\ndata") for asked in server.asked]


@pytest.mark.parametrize(
    ("settings", "expected_count"),
    [
        ({}, 1),
        ({"request_max_attempts": 1}, 1),
        ({"request_max_attempts": 3}, 3),
        ({"request_max_attempts": 3, "auto_retry": False}, 1),
        ({"request_max_attempts": 3, "read_request_max_attempts": 2}, 2),
        ({"request_max_attempts": 1, "write_request_max_attempts": 2}, 1),
    ],
)
def test_lost_connection_is_tried_as_often_as_set(server, ask, settings, expected_count):
    server.on("/", hang_up)
    response = ask(server.origin + "/", **settings, **QUICK)
    assert (9005, expected_count) == (response.status, len(server.asked))


@pytest.mark.parametrize(
    ("method", "expected_count"),
    [("GET", 2), ("head", 2), ("PUT", 3), ("post", 3), ("DELETE", 4), ("PATCH", 1)],
)
def test_attempts_depend_on_the_method(server, ask, method, expected_count):
    server.on("/", hang_up)
    attempts = {"read_request_max_attempts": 2, "write_request_max_attempts": 3, "delete_request_max_attempts": 4}
    ask(server.origin + "/", method, **attempts, **QUICK)
    assert expected_count == len(server.asked)


def test_lost_connection_says_what_happened(server, ask):
    server.on("/", hang_up)
    response = ask(server.origin + "/", request_max_attempts=2, **QUICK)
    expected = (
        rb"Connection lost: read\(\(conn:127\.0\.0\.1:%d,id=\d+\)\) failed: EOF \(Request queued \d+\.\d{3} secs ago, "
        rb"1 times retried, 2 send attempts in \d+\.\d{3} secs, \d+\.\d{3} in last attempt, 0\.000 in other ioloops, "
        rb"connected \d+\.\d{3} secs ago\)" % server.port
    )
    assert re.fullmatch(expected, response.reason)


def test_time_out_of_an_attempt_is_tried_again(server, ask):
    server.on("/", lambda talk: talk.hang(), OK)
    assert 200 == ask(server.origin + "/", request_max_attempts=2, request_timeout_ms=100).status


def test_time_out_is_not_tried_again_without_auto_retry(server, ask):
    server.on("/", lambda talk: talk.hang(), OK)
    response = ask(server.origin + "/", request_max_attempts=2, request_timeout_ms=100, auto_retry=False)
    assert (9008, 1) == (response.status, len(server.asked))


@pytest.mark.parametrize("auto_retry", [True, False])
def test_503_with_retry_after_is_tried_again(server, ask, auto_retry):
    # A date of nine seconds ago and ten seconds to wait: one second from now at most.
    server.on("/", unavailable(*dated("10", time.time() - 9)), OK)
    response = ask(server.origin + "/", request_max_attempts=2, auto_retry=auto_retry)
    assert (200, True) == (response.status, response.reason.startswith(b"OK (1 retries in "))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param((), id="none"),
        pytest.param(("Retry-After: 1",), id="without a date"),
        pytest.param(dated("-1"), id="negative"),
        pytest.param(dated("soon"), id="garbage"),
        pytest.param(dated("0"), id="now"),
        pytest.param(dated("1", 0), id="over already"),
        pytest.param(dated("3600"), id="over the cap"),
        pytest.param(dated("99999999999999999999"), id="huge"),
    ],
)
def test_503_without_a_usable_retry_after_is_the_answer(server, ask, fields):
    server.on("/", unavailable(*fields), OK)
    assert 503 == ask(server.origin + "/", request_max_attempts=3, max_auto_retry_delay_s=6).status
    assert 1 == len(server.asked)


def test_503_cap_is_the_time_out_of_an_attempt(server, ask):
    server.on("/", unavailable(*dated("60")), OK)
    assert 503 == ask(server.origin + "/", request_max_attempts=3, request_timeout_ms=2999).status


def test_503_without_an_attempt_left_is_the_answer(server, ask):
    server.on("/", unavailable(*dated("1")), OK)
    response = ask(server.origin + "/")
    assert (503, b"Service Unavailable") == (response.status, response.reason)


def test_wait_for_retry_after_ends_at_the_absolute_time_out(server, ask):
    server.on("/", unavailable(*dated("30")), OK)
    response = ask(server.origin + "/", request_max_attempts=2, request_absolute_timeout_ms=100)
    assert (9008, True) == (response.status, response.reason.startswith(b"Absolute request timeout expired ("))


@pytest.mark.parametrize("auto_retry", [True, False])
def test_408_is_tried_again_on_another_connection(server, ask, auto_retry):
    server.on("/", answer("408 Request Timeout"), OK)
    assert 200 == ask(server.origin + "/", request_max_attempts=2, auto_retry=auto_retry).status
    assert 2 == server.connection_count


def test_408_without_an_attempt_left_is_the_answer(server, ask):
    server.on("/", answer("408 Request Timeout"), OK)
    assert 408 == ask(server.origin + "/").status


@pytest.mark.parametrize("status", ["400 B", "404 N", "429 Too Many", "500 E", "502 B", "504 G"])
def test_other_errors_are_never_tried_again(server, ask, status):
    server.on("/", answer(status, *dated("1")), OK)
    assert int(status[:3]) == ask(server.origin + "/", request_max_attempts=3).status
    assert 1 == len(server.asked)


def test_bad_answer_is_not_tried_again(server, ask):
    server.on("/", b"garbage here\r\n", OK)
    assert 9007 == ask(server.origin + "/", request_max_attempts=3).status
    assert 1 == len(server.asked)


def test_retries_go_on_after_a_redirect_with_what_is_left(server, ask):
    server.on("/", hang_up, answer("302 Found", f"Location: {server.origin}/next"))
    server.on("/next", hang_up, OK)
    response = ask(server.origin + "/", request_max_attempts=3, request_max_redirects=1, **QUICK)
    assert (200, True) == (response.status, response.reason.startswith(b"OK (2 retries in "))


def test_pauses_double_after_connections_dropped_without_a_byte(server, ask):
    server.on("/", hang_up)
    started_s = time.monotonic()
    ask(server.origin + "/", request_max_attempts=4, connect_backoff_time_ms=20)
    # 20, 40 and 80 ms lie between four connects.
    assert 0.140 <= time.monotonic() - started_s
