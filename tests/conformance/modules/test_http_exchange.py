"""The operation http_exchange: one request, one answer, errors in LuaSocket's words."""

from __future__ import annotations

import pytest

from tests.conformance.modules.servers import silent_port
from tests.ports import free_port
from workers.operations.http_exchange import MAX_BODY_BYTES, MAX_CLIENTS, Exchanges

#: Long enough for loopback under load, short enough to wait for.
TIMEOUT_S = 5.0
SHORT_S = 0.2


#: One for all tests, as for all scripts of a worker.
EXCHANGES = Exchanges()
exchange = EXCHANGES.exchange


@pytest.fixture(scope="module", autouse=True)
def _no_connections_left():
    yield
    EXCHANGES.close()


def send(method, url, headers, body, timeout_s=TIMEOUT_S, **route):
    request = {"method": method, "url": url, "headers": headers, "body": body, "timeout_s": timeout_s, **route}
    return exchange({key.encode(): value for key, value in request.items()})


def get(url: str, timeout_s: float = TIMEOUT_S, **route):
    return send(b"GET", url.encode(), [], b"", timeout_s, **route)


def test_answer_has_status_reason_fields_body_and_version(server):
    status, reason, fields, body, version = get(server.url + "/plain")
    assert (200, b"OK", b"hello", b"1.1") == (status, reason, body, version)
    assert [b"a", b"b"] == [value for name, value in fields if name.lower() == b"x-two"]


def test_only_the_headers_given_are_sent(server):
    send(b"POST", server.url.encode(), [[b"X-One", b"1"], [b"Content-Length", b"999"]], b"body", TIMEOUT_S)
    [asked] = server.asked
    expected = {"accept-encoding": "identity", "content-length": "4", "user-agent": "lualoft", "x-one": "1"}
    assert expected == {name: value for name, value in asked.headers.items() if name != "host"}
    assert b"body" == asked.body


def test_lua_table_is_taken_as_it_arrives(server):
    request = {b"method": b"PUT", b"url": server.url.encode(), b"headers": {}, b"body": b"x", b"timeout_s": 5}
    assert 200 == exchange(request)[0]
    assert ("PUT", b"x") == (server.asked[0].method, server.asked[0].body)


def test_connections_are_kept_but_cookies_are_not(server):
    get(server.url + "/plain")
    get(server.url + "/plain")
    assert "cookie" not in server.asked[1].headers


def test_redirect_is_handed_over(server):
    assert 302 == get(server.url + "/redirect/302")[0]
    assert 1 == len(server.asked)


def test_chunked_body_is_joined(server):
    assert b"abcde" == get(server.url + "/chunked")[3]


def test_compressed_body_is_left_as_it_is(server):
    assert b"\x1f\x8bxx" == get(server.url + "/gzip")[3]


def test_characters_that_would_end_the_request_line_are_encoded(server):
    get(server.url + "/plain?a b\r\nX: y")
    assert "/plain?a%20b%0D%0AX:%20y" == server.asked[0].path


def test_proxy_is_asked_for_the_whole_url(server):
    assert 200 == get("http://nowhere.invalid/plain", proxy=server.url.encode())[0]
    assert "http://nowhere.invalid/plain" == server.asked[0].path


def test_environment_names_no_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert 200 == get(server.url + "/plain")[0]


def test_refused_connection():
    assert (None, b"connection refused") == get(f"http://127.0.0.1:{free_port()}/")


def test_unknown_host():
    assert get("http://nowhere.invalid/") in (
        (None, b"host or service not provided, or not known"),
        (None, b"temporary failure in name resolution"),
    )


def test_server_that_never_answers():
    with silent_port() as port:
        assert (None, b"timeout") == get(f"http://127.0.0.1:{port}/", SHORT_S)


def test_server_that_stops_in_the_body(server):
    assert (None, b"timeout") == get(server.url + "/never", SHORT_S)


@pytest.mark.parametrize("path", ["/close", "/cut"])
def test_connection_that_breaks_off(server, path):
    assert (None, b"closed") == get(server.url + path)


def test_largest_body_passes(server):
    assert MAX_BODY_BYTES == len(get(f"{server.url}/large/{MAX_BODY_BYTES}")[3])


def test_larger_body_is_refused(server):
    expected = (None, f"response body is larger than {MAX_BODY_BYTES} bytes".encode())
    assert expected == get(f"{server.url}/large/{MAX_BODY_BYTES + 1}")


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (b"http://", []),
        (b"nothing", []),
        (b"ftp://127.0.0.1/", []),
        (b"http://127.0.0.1:99999/", []),
        (b"http://127.0.0.1/", [[b"A", b"x\r\nB: y"]]),
        (b"http://127.0.0.1/", [[b"A\nB", b"x"]]),
    ],
)
def test_request_that_cannot_be_sent(url, headers):
    assert (None, b"invalid url or header") == send(b"GET", url, headers, b"", TIMEOUT_S)


@pytest.mark.parametrize("method", [b"", b"GET /x", b"GET\r\nX: y"])
def test_method_that_cannot_be_sent(server, method):
    assert (None, b"invalid url or header") == send(method, server.url.encode(), [], b"")
    assert [] == server.asked


def test_proxy_that_is_no_url(server):
    assert (None, b"invalid url or header") == get(server.url, proxy=b"nonsense")


def test_connections_of_the_oldest_route_are_given_up(server):
    exchanges = Exchanges()
    request = {b"method": b"GET", b"url": server.url.encode(), b"headers": {}, b"body": b"", b"timeout_s": TIMEOUT_S}
    for number in range(MAX_CLIENTS + 1):
        assert 200 == exchanges.exchange({**request, b"ca_file": b"%d" % number})[0]
    assert MAX_CLIENTS == len(exchanges._clients)
    exchanges.close()


def test_unknown_certificate_is_refused(tls_server):
    assert (None, b"certificate verify failed") == get(tls_server.server.url)
    assert [] == tls_server.server.asked


def test_certificate_of_the_file_is_trusted(tls_server):
    assert 200 == get(tls_server.server.url, ca_file=str(tls_server.authority).encode())[0]


def test_any_certificate_is_taken_when_told_to(tls_server):
    assert 200 == get(tls_server.server.url, verify=False)[0]


def test_tls_to_a_plain_server(server):
    assert (None, b"wrong version number") == get(server.url.replace("http:", "https:"))


def test_missing_authority_file(tls_server):
    answer = get(tls_server.server.url, ca_file=b"/nonexistent/ca.pem")
    assert (None, b"no such file or directory") == answer
