"""socket.http and ssl.https against real servers: what is sent, what comes back, redirects, errors."""

from __future__ import annotations

import time

import pytest

from tests.conformance.modules.harness import ALL_LUAS, HERE, make_state, run
from tests.conformance.modules.servers import silent_port
from tests.ports import free_port
from workers.operations.http_exchange import Exchanges

SCRIPT = (
    (HERE / "show.lua").read_bytes()
    + b"""
http, https, ltn12, socket = require("socket.http"), require("ssl.https"), require("ltn12"), require("socket")
function f(text, ...)
   return show((loadstring or load)(text, "=t")(...))
end
"""
)


def _sleep(seconds):
    raise AssertionError(seconds)


EXCHANGES = Exchanges()
OPERATIONS = {b"http_exchange": EXCHANGES.exchange, b"sleep": _sleep}


@pytest.fixture(scope="module", autouse=True)
def _no_connections_left():
    yield
    EXCHANGES.close()


@pytest.fixture(params=ALL_LUAS)
def lua(request):
    """Runs Lua text with arguments; returns its results as show.lua writes them."""
    state = make_state(SCRIPT, request.param)

    def call(text: str, *args: str, operations=OPERATIONS) -> str:
        [shown] = run(state, b"f", [text.encode(), *(arg.encode() for arg in args)], operations)
        return shown.decode("latin-1")

    return call


@pytest.fixture
def lua54():
    state = make_state(SCRIPT, "5.4")

    def call(text: str, *args: str, operations=OPERATIONS) -> str:
        [shown] = run(state, b"f", [text.encode(), *(arg.encode() for arg in args)], operations)
        return shown.decode("latin-1")

    return call


# The simple form.


def test_simple_get_gives_body_status_headers_and_line(lua, server):
    shown = lua("local b, c, h, s = http.request((...)) return b, c, s, h['x-two'], h['content-length']", server.url)
    assert '"hello" 200 "HTTP/1.1 200 OK" "a, b" "5"' == shown


def test_simple_form_with_a_body_posts_a_form(lua, server):
    lua("return http.request(..., 'a=1&b=2')", server.url + "/p?q=1")
    [asked] = server.asked
    assert ("POST", "/p?q=1", b"a=1&b=2") == (asked.method, asked.path, asked.body)
    assert "application/x-www-form-urlencoded" == asked.headers["content-type"]
    assert "7" == asked.headers["content-length"]


def test_requests_name_host_and_user_agent(lua54, server):
    lua54("return http.request(...)", server.url)
    assert server.url == "http://" + server.asked[0].headers["host"]
    assert "LuaSocket 3.1.0" == server.asked[0].headers["user-agent"]


def test_user_agent_may_be_set(lua54, server):
    lua54("http.USERAGENT = 'mine' return http.request(...)", server.url)
    assert "mine" == server.asked[0].headers["user-agent"]


def test_error_statuses_are_answers(lua54, server):
    assert '"" 404 "HTTP/1.1 404 Not Found"' == lua54(
        "local b, c, h, s = http.request(...) return b, c, s", server.url + "/status/404"
    )


# The table form.


def test_table_form_gives_1_and_fills_the_sink(lua, server):
    text = "local t = {} local ok, c, h, s = http.request{url = ..., sink = ltn12.sink.table(t)} return ok, c, s, t"
    assert '1 200 "HTTP/1.1 200 OK" {"hello"}' == lua(text, server.url)


def test_table_form_without_a_sink_drops_the_body(lua54, server):
    assert "1 200" == lua54("local ok, c = http.request{url = ...} return ok, c", server.url)


def test_source_is_sent_with_the_script_s_headers(lua, server):
    text = """return (http.request{ url = ..., method = "PUT", source = ltn12.source.table({"ab", "cd"}),
       headers = { ["content-type"] = "text/x", ["X-Token"] = 5, ["content-length"] = 4 } })"""
    assert "1" == lua(text, server.url)
    [asked] = server.asked
    assert ("PUT", b"abcd", "text/x", "5") == (
        asked.method,
        asked.body,
        asked.headers["content-type"],
        asked.headers["x-token"],
    )


def test_head_answers_without_a_body(lua54, server):
    text = "local t = {} local ok, c = http.request{url = ..., method = 'HEAD', sink = ltn12.sink.table(t)} return c, t"
    assert "200 {}" == lua54(text, server.url)


def test_parts_may_be_named_one_by_one(lua54, server):
    port = server.url.rpartition(":")[2]
    assert "1" == lua54("return (http.request{host = '127.0.0.1', port = ..., path = '/z', query = 'q'})", port)
    assert "/z?q" == server.asked[0].path


@pytest.mark.parametrize(
    "text",
    [
        "return (http.request('http://u:p%40@' .. (...):sub(8)))",
        "return (http.request{url = ..., user = 'u', password = 'p@'})",
    ],
)
def test_credentials_become_basic_authorization(lua54, server, text):
    lua54(text, server.url)
    assert "Basic dTpwQA==" == server.asked[0].headers["authorization"]


def test_step_moves_both_bodies(lua54, server):
    text = """local steps = 0 http.request{url = ..., method = "POST", source = ltn12.source.string("x"),
       sink = ltn12.sink.null(), step = function(a, b) steps = steps + 1 return ltn12.pump.step(a, b) end}
       return steps"""
    assert "4" == lua54(text, server.url)


def test_sink_that_refuses_ends_the_request(lua54, server):
    assert 'nil "full"' == lua54("return http.request{url = ..., sink = ltn12.sink.error('full')}", server.url)


def test_source_that_fails_sends_nothing(lua54, server):
    text = "return http.request{url = ..., method = 'POST', source = ltn12.source.error('no data')}"
    assert 'nil "no data"' == lua54(text, server.url)
    assert [] == server.asked


def test_proxy_of_the_request_is_used(lua54, server):
    assert "1" == lua54("return (http.request{url = 'http://nowhere.invalid/x', proxy = ...})", server.url)
    assert "http://nowhere.invalid/x" == server.asked[0].path


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_get_follows_redirects(lua54, server, status):
    shown = lua54("local b, c, h = http.request(...) return b, c, h.location", f"{server.url}/redirect/{status}")
    assert '"hello" 200 "/plain"' == shown


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/redirect/308", "return select(2, http.request(...))"),
        ("/redirect/302", "return select(2, http.request(..., 'body'))"),
        ("/redirect/302", "return select(2, http.request{url = ..., redirect = false})"),
        ("/redirect/302/ftp://127.0.0.1/", "return select(2, http.request(...))"),
    ],
    ids=["308", "post", "switched off", "other scheme"],
)
def test_redirect_is_left_to_the_script(lua54, server, path, text):
    assert lua54(text, server.url + path).startswith("30")
    assert 1 == len(server.asked)


def test_redirect_body_does_not_reach_the_sink(lua54, server):
    text = "local t = {} http.request{url = ..., sink = ltn12.sink.table(t)} return t"
    assert '{"hello"}' == lua54(text, server.url + "/redirect/302")


def test_redirected_head_stays_a_head(lua54, server):
    lua54("return http.request{url = ..., method = 'HEAD'}", server.url + "/redirect/302")
    assert ["HEAD", "HEAD"] == [asked.method for asked in server.asked]


def test_redirects_end_after_five_requests(lua54, server):
    assert '"" 302' == lua54("local b, c = http.request(...) return b, c", server.url + "/loop")
    assert 5 == len(server.asked)


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (7, 7)])
def test_maxredirects_limits_the_requests(lua54, server, limit, count):
    lua54(f"return http.request{{url = ..., maxredirects = {limit}}}", server.url + "/loop")
    assert count == len(server.asked)


def test_credentials_do_not_follow_to_another_host(lua54, server, other_server):
    target = other_server.url.replace("127.0.0.1", "localhost")
    text = "return http.request{url = ..., headers = {Authorization = 'secret', Cookie = 'c', ['X-A'] = '1'}}"
    lua54(text, f"{server.url}/redirect/302/{target}/plain")
    [asked] = other_server.asked
    assert (None, None, "1") == tuple(asked.headers.get(name) for name in ("authorization", "cookie", "x-a"))


def test_redirect_from_tls_to_plain_is_not_followed(lua54, tls_server, server):
    url = f"{tls_server.server.url}/redirect/302/{server.url}/plain"
    text = "return select(2, https.request{url = (...), cafile = select(2, ...)})"
    assert lua54(text, url, str(tls_server.authority)).startswith("302")
    assert [] == server.asked


# Errors and time limits.


def test_refused_connection(lua):
    assert 'nil "connection refused"' == lua("return http.request(...)", f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize(
    "text", ["return http.request{url = ..., timeout = 0.2}", "http.TIMEOUT = 0.2 return http.request(...)"]
)
def test_time_limit(lua54, text):
    with silent_port() as port:
        assert 'nil "timeout"' == lua54(text, f"http://127.0.0.1:{port}/")


def test_closed_connection(lua54, server):
    assert 'nil "closed"' == lua54("return http.request(...)", server.url + "/close")


# TLS.


def test_https_asks_over_tls_whatever_the_scheme(lua54, tls_server):
    text = "return (https.request{url = (...):gsub('^https', 'http'), cafile = select(2, ...)})"
    assert "1" == lua54(text, tls_server.server.url, str(tls_server.authority))


def test_https_checks_the_certificate(lua54, tls_server):
    assert 'nil "certificate verify failed"' == lua54("return https.request(...)", tls_server.server.url)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_https_takes_any_certificate_when_told_to(lua54, tls_server):
    text = (
        "local t = {} local ok, c = https.request{url = ..., verify = 'none', sink = ltn12.sink.table(t)} return c, t"
    )
    assert '200 {"hello"}' == lua54(text, tls_server.server.url)


def test_socket_http_speaks_https_too(lua54, tls_server):
    text = "return select(2, http.request{url = (...), cafile = select(2, ...)})"
    assert lua54(text, tls_server.server.url, str(tls_server.authority)).startswith("200")


# Waiting.


def test_sleep_hands_the_seconds_to_the_engine(lua54):
    asked = []
    operations = {b"sleep": lambda seconds: (asked.append(seconds), ())[1]}
    assert "" == lua54("socket.sleep(0.25) socket.sleep(0) socket.sleep(-1)", operations=operations)
    assert [0.25] == asked


def test_gettime_is_the_wall_clock(lua54):
    before = time.time()
    shown = float(lua54("return socket.gettime()"))
    assert before - 1 <= shown <= time.time() + 1
