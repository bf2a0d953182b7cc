"""What goes onto the wire, byte for byte (reference §4.4, §4.1)."""

import pytest

from dispatcher.protocol.secret import Secret
from tests.integration.http.asking import request
from tests.integration.http.fault_server import lines


def asked(server) -> list[bytes]:
    [only] = server.asked
    return lines(only)


def test_plain_get_has_host_date_and_connection_only(server, ask):
    ask(server.origin + "/")
    host = f"Host: {server.authority}".encode()
    assert [b"GET / HTTP/1.1", host, b"Connection: Keep-Alive"] == asked(server)


def test_all_headers_stand_in_dovecots_order(server, ask):
    parts = {
        "payload": b"abc",
        "is_sync": False,
        "headers": ((b"X-Second", b"2"), (b"A-First", b"1"), (b"", b"no name"), (b"X-Empty", b"")),
    }
    ask(server.origin.replace("//", "//user:pass@") + "/p?q=1", "POST", parts, user_agent=b"agent/1")
    [text] = server.asked
    head, _, payload = text.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert b"POST /p?q=1 HTTP/1.1" == head.split(b"\r\n")[0]
    assert [b"Host", b"Date", b"Authorization", b"User-Agent", b"Content-Length", b"Connection"] == names[:6]
    assert [b"X-Second: 2", b"A-First: 1", b": no name", b"X-Empty: "] == head.split(b"\r\n")[7:]
    assert b"Authorization: Basic dXNlcjpwYXNz" in head  # base64 of user:pass
    assert b"abc" == payload


def test_date_is_an_imf_fixdate(server, ask):
    ask(server.origin + "/")
    [date] = [line for line in server.asked[0].split(b"\r\n") if line.startswith(b"Date: ")]
    assert len("Date: Sun, 06 Nov 1994 08:49:37 GMT") == len(date)
    assert date.endswith(b" GMT")


def test_expect_stands_between_user_agent_and_length(server, ask):
    server.on("/", lambda talk: talk.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    ask(server.origin + "/", "PUT", {"payload": b"x", "is_sync": True}, user_agent=b"me")
    expected = [b"User-Agent: me", b"Expect: 100-continue", b"Content-Length: 1", b"Connection: Keep-Alive"]
    assert expected == asked(server)[2:]


@pytest.mark.parametrize("method", ["get", "GET", "PATCH", "M-SEARCH", "x"])
def test_method_is_sent_as_it_is_written(server, ask, method):
    ask(server.origin + "/", method)
    assert f"{method} / HTTP/1.1".encode() == asked(server)[0]


@pytest.mark.parametrize(
    "target", ["/a%2Fb%20c", "/a%2fb", "/%7Euser?x=%41&y=[z".replace("[", "%5B"), "//x//y", "/?", "/a;b=c,d"]
)
def test_target_keeps_its_percent_encoding(server, ask, target):
    ask(server.origin + target)
    assert f"GET {target} HTTP/1.1".encode() == asked(server)[0]


@pytest.mark.parametrize(
    ("method", "payload", "expected"),
    [
        ("GET", None, []),
        ("DELETE", None, []),
        ("GET", b"", [b"Content-Length: 0"]),
        ("POST", None, [b"Content-Length: 0"]),
        ("put", None, [b"Content-Length: 0"]),
        ("GET", b"\x00\xff", [b"Content-Length: 2"]),
    ],
)
def test_content_length_is_sent_for_payloads_and_for_post_and_put(server, ask, method, payload, expected):
    ask(server.origin + "/", method, {"payload": payload})
    assert expected == [line for line in asked(server) if line.startswith(b"Content-Length")]


def test_binary_payload_arrives_whole(server, ask):
    payload = bytes(range(256)) * 1024
    ask(server.origin + "/", "POST", {"payload": payload})
    assert payload == server.asked[0].partition(b"\r\n\r\n")[2]


IMPLICIT = ["host", "date", "authorization", "user-agent", "content-length", "connection"]


@pytest.mark.parametrize("name", IMPLICIT)
def test_implicit_header_that_was_overridden_once_is_not_sent(server, ask, name):
    parts = {"disabled": frozenset({name.encode()})}
    ask(server.origin.replace("//", "//u:p@") + "/", "POST", parts, user_agent=b"me")
    sent = [line.partition(b":")[0].lower().decode() for line in server.asked[0].split(b"\r\n")[1:] if line]
    assert [other for other in IMPLICIT if other != name] == sent


def test_own_host_replaces_the_implicit_one_at_its_own_place(server, ask):
    ask(server.origin + "/", parts={"headers": ((b"hOst", b"other"),), "disabled": frozenset({b"host"})})
    assert [b"Connection: Keep-Alive", b"hOst: other"] == asked(server)[1:]


def test_own_transfer_encoding_takes_the_length_away(server, ask):
    ask(server.origin + "/", "POST", {"disabled": frozenset({b"transfer-encoding"})})
    assert [] == [line for line in asked(server) if line.startswith(b"Content-Length")]


def test_user_without_password_is_no_authorization(server, ask):
    ask(server.origin.replace("//", "//user@") + "/")
    assert b"Authorization" not in server.asked[0]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET / HTTP/1.1\r\nX:", ()),
        ("GET", ((b"A", b"x\r\nB: y"),)),
        ("GET", ((b"A\nB", b"x"),)),
        ("GET", ((b"A", b"x\rB"),)),
    ],
    ids=["method", "value", "name", "lone CR"],
)
def test_line_break_never_reaches_the_wire(server, ask, method, headers):
    response = ask(server.origin + "/", method, {"headers": headers})
    assert (9009, b"Request has a line break in its method, a header or a setting") == (
        response.status,
        response.reason,
    )
    assert [] == server.asked


def test_password_is_in_no_representation(make_client):
    client = make_client(proxy_url=b"http://127.0.0.1:1", proxy_username=b"u", proxy_password=Secret("geheim"))
    assert "geheim" not in repr(client._engine)
    assert "geheim" not in repr(request("http://u:geheim@host/"))
