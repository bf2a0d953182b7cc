"""Redirects (reference §4.6)."""

import pytest

from tests.integration.http.fault_server import OK, answer, lines


def outcome(response):
    return response.status, response.reason.decode()


def test_redirect_is_refused_by_default(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/next"))
    assert (9004, "Redirect refused") == outcome(ask(server.origin + "/"))
    assert 1 == len(server.asked)


def test_auto_redirect_off_hands_the_redirect_over(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/next", payload=b"moved"))
    response = ask(server.origin + "/", auto_redirect=False)
    assert (302, b"Found", b"moved") == (response.status, response.reason, response.payload)


@pytest.mark.parametrize(
    "status", ["300 Multiple Choices", "301 Moved", "302 Found", "303 See Other", "307 T", "308 P", "399 X"]
)
def test_redirect_is_followed(server, ask, status):
    server.on("/", answer(status, f"Location: {server.origin}/next?a=%2F"))
    response = ask(server.origin + "/", request_max_redirects=1)
    assert (200, b"ok", 1) == (response.status, response.payload, response.stats.redirects)
    assert b"/next?a=%2F" == response.url.target
    assert b"GET /next?a=%2F HTTP/1.1" == lines(server.asked[1])[0]


@pytest.mark.parametrize("status", ["304 Not Modified", "302 Found"])
def test_answer_without_a_place_to_go_is_handed_over(server, ask, status):
    fields = [f"Location: {server.origin}/next"] if status.startswith("304") else []
    server.on("/", answer(status, *fields))
    assert int(status[:3]) == ask(server.origin + "/", request_max_redirects=5).status


@pytest.mark.parametrize(
    ("limit", "reason"), [(1, "Redirected more than 1 times"), (3, "Redirected more than 3 times")]
)
def test_redirect_loop_ends_at_the_limit(server, ask, limit, reason):
    server.on("/", answer("302 Found", f"Location: {server.origin}/"))
    response = ask(server.origin + "/", request_max_redirects=limit)
    assert (9004, reason) == outcome(response)
    assert limit + 1 == len(server.asked)


def test_as_many_redirects_as_the_limit_are_followed(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/1"))
    server.on("/1", answer("302 Found", f"Location: {server.origin}/2"))
    assert 200 == ask(server.origin + "/", request_max_redirects=2).status


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        ("/relative", "Relative HTTP URL not allowed"),
        ("http://user:pass@127.0.0.1/", "HTTP URL does not allow `userinfo@' part"),
        ("ftp://127.0.0.1/", "Not an HTTP URL"),
        ("", "Relative HTTP URL not allowed"),
    ],
)
def test_bad_location_is_an_error_before_the_count(server, ask, location, detail):
    server.on("/", answer("302 Found", f"Location: {location}"))
    assert (9004, f"Invalid redirect location: {detail}") == outcome(ask(server.origin + "/"))


@pytest.mark.parametrize("status", ["301 M", "302 F", "307 T", "308 P"])
def test_method_and_payload_are_kept(server, ask, status):
    server.on("/", answer(status, f"Location: {server.origin}/next"))
    ask(server.origin + "/", "POST", {"payload": b"data"}, request_max_redirects=1)
    assert b"POST /next HTTP/1.1" == lines(server.asked[1])[0]
    assert server.asked[1].endswith(b"\r\n\r\ndata")


def test_303_becomes_get_without_payload_and_with_the_headers(server, ask):
    server.on("/", answer("303 See Other", f"Location: {server.origin}/next"))
    parts = {"payload": b"data", "headers": ((b"Content-Type", b"text/x"),)}
    ask(server.origin + "/", "POST", parts, request_max_redirects=1)
    expected = [b"GET /next HTTP/1.1", f"Host: {server.authority}".encode(), b"Connection: Keep-Alive"]
    assert [*expected, b"Content-Type: text/x"] == lines(server.asked[1])
    assert server.asked[1].endswith(b"\r\n\r\n")


def test_303_drops_an_own_content_length_with_the_payload(server, ask):
    server.on("/", answer("303 See Other", f"Location: {server.origin}/next"))
    parts = {"payload": b"data", "headers": ((b"content-length", b"4"),), "disabled": frozenset({b"content-length"})}
    assert 200 == ask(server.origin + "/", "PUT", parts, request_max_redirects=1).status
    assert b"content-length" not in server.asked[1]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_303_leaves_get_and_head_alone(server, ask, method):
    server.on("/", answer("303 See Other", f"Location: {server.origin}/next"))
    server.on("/next", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    ask(server.origin + "/", method, request_max_redirects=1)
    assert f"{method} /next HTTP/1.1".encode() == lines(server.asked[1])[0]


def test_credentials_and_headers_follow_to_another_host(server, other_server, ask):
    server.on("/", answer("302 Found", f"Location: {other_server.origin}/next"))
    parts = {"headers": ((b"X-Token", b"t"),)}
    response = ask(server.origin.replace("//", "//u:p@") + "/", parts=parts, request_max_redirects=1)
    asked = lines(other_server.asked[0])
    assert (200, other_server.port) == (response.status, response.url.port)
    assert f"Host: {other_server.authority}".encode() == asked[1]
    assert {b"Authorization: Basic dTpw", b"X-Token: t"} <= set(asked)


def test_redirect_waits_for_retry_after(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/next", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"))
    assert 200 == ask(server.origin + "/", request_max_redirects=1).status


def test_redirect_with_a_wait_over_the_cap_is_handed_over(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/next", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"))
    assert 302 == ask(server.origin + "/", request_max_redirects=1, max_auto_retry_delay_s=5).status


def test_connection_is_kept_over_a_redirect(server, ask):
    server.on("/", answer("302 Found", f"Location: {server.origin}/next"))
    server.on("/next", OK)
    ask(server.origin + "/", request_max_redirects=1)
    assert 1 == server.connection_count
