"""Scripts that ask web services: through the queue, a pool and a real server on loopback."""

import threading

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.settings import EngineSettings, ScriptSettings
from tests.integration.http.fault_server import FaultServer, answer, lines
from tests.ports import free_port
from tests.waiting import wait_until

#: Longer than any of these calls takes.
LIMIT_S = 20.0

#: Calls that are inside the pool at once: far more than it has workers.
PARALLEL = 100


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def script_of(source, **settings):
    return Script.from_stream("http", source.encode(), ScriptSettings(**settings))


def values_of(dispatcher, source, *args, **settings):
    outcome = dispatcher.call(script_of(source, **settings), "f", *args, deadline_s=LIMIT_S)
    assert OutcomeKind.OK == outcome.kind, outcome.error
    return outcome.values


GET = """
local client = dovecot.http.client({ user_agent = "tester/1" })
function f(url)
   local request = client:request({ url = url })
   request:add_header("X-One", "1")
   local response = request:submit()
   return response:status(), response:reason(), response:header("x-answer"), response:payload()
end"""


@pytest.mark.parametrize("lua", ["5.1", "5.3", "5.4", "5.5", "luajit"])
def test_script_asks_and_sees_the_answer(dispatcher, server, lua):
    server.on("/x?y", answer("201 Made up", "X-Answer: yes", payload=b"a\0b"))
    assert [201, b"Made up", b"yes", b"a\0b"] == values_of(dispatcher, GET, f"{server.origin}/x?y", lua=lua)
    assert [
        b"GET /x?y HTTP/1.1",
        f"Host: {server.authority}".encode(),
        b"User-Agent: tester/1",
        b"Connection: Keep-Alive",
        b"X-One: 1",
    ] == lines(server.asked[0])


def test_ten_thousand_headers_of_a_script_go_out_in_their_order(dispatcher, server):
    source = """
    local client = dovecot.http.client({})
    function f(url, count)
       local request = client:request({ url = url })
       for number = 1, count do request:add_header("X-" .. number, "v") end
       return request:submit():status()
    end"""
    count = 10_000
    assert [200] == values_of(dispatcher, source, f"{server.origin}/", count)
    assert [b"X-%d: v" % number for number in range(1, count + 1)] == lines(server.asked[0])[-count:]


def test_host_is_looked_up(dispatcher, server):
    assert 200 == values_of(dispatcher, GET, f"http://localhost:{server.port}/")[0]
    assert f"Host: localhost:{server.port}".encode() in lines(server.asked[0])


POST = """
local client = dovecot.http.client({})
function f(url, size)
   local request = client:request({ url = url, method = "POST" })
   request:set_payload(string.rep("x", size))
   return request:submit():status()
end"""


def test_payload_in_2_4_goes_out_at_once(dispatcher, server):
    assert [200] == values_of(dispatcher, POST, f"{server.origin}/", 3)
    head, _, payload = server.asked[0].partition(b"\r\n\r\n")
    assert b"Expect" not in head
    assert b"xxx" == payload


def test_payload_in_2_3_waits_for_the_server(dispatcher, server):
    received = []

    def take(conversation):
        conversation.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        received.append(conversation.read_payload(3))
        conversation.send(answer("204 No Content"))

    server.on("/", take)
    assert [204] == values_of(dispatcher, POST, f"{server.origin}/", 3, dialect="2.3")
    assert b"Expect: 100-continue" in lines(server.asked[0])
    assert [b"xxx"] == received


def test_payload_larger_than_a_result_may_be_is_sent(dispatcher, server, settings):
    size = 2 * settings.engine.max_result_bytes
    assert [200] == values_of(dispatcher, POST, f"{server.origin}/", size)
    assert b"x" * size == server.asked[0].partition(b"\r\n\r\n")[2]


def test_many_calls_wait_in_few_workers(dispatcher, server):
    def wait_for_all(conversation):
        wait_until(lambda: len(server.asked) >= PARALLEL, LIMIT_S)
        conversation.send(answer(payload=b"ok"))

    server.on("/", wait_for_all)
    script = script_of(GET)
    futures = [dispatcher.submit(script, "f", [f"{server.origin}/"], deadline_s=LIMIT_S) for _ in range(PARALLEL)]
    assert {200} == {future.result(timeout=LIMIT_S).values[0] for future in futures}


ONE_CONNECTION = GET.replace('user_agent = "tester/1"', "max_parallel_connections = 1")


def test_script_may_keep_its_connections_few(own, server):
    with LocalPool(own), Dispatcher(own) as dispatcher:
        script = script_of(ONE_CONNECTION)
        futures = [dispatcher.submit(script, "f", [f"{server.origin}/"], deadline_s=LIMIT_S) for _ in range(10)]
        assert {200} == {future.result(timeout=LIMIT_S).values[0] for future in futures}
    assert (10, 1) == (len(server.asked), server.connection_count)


TWO_CLIENTS = """
function f(url)
   local one, two = dovecot.http.client({}), dovecot.http.client({})
   for _ = 1, 3 do
      one:request({ url = url }):submit()
   end
   return two:request({ url = url }):submit():status()
end"""


def test_client_keeps_its_connection_and_shares_it_with_no_other(dispatcher, server):
    assert [200] == values_of(dispatcher, TWO_CLIENTS, f"{server.origin}/")
    assert (4, 2) == (len(server.asked), server.connection_count)


def test_deadline_ends_the_request_too(dispatcher, server):
    has_hung_up = threading.Event()

    def hang(conversation):
        conversation.hang()
        has_hung_up.set()

    server.on("/", hang)
    outcome = dispatcher.call(script_of(GET), "f", f"{server.origin}/", deadline_s=0.5)
    assert OutcomeKind.DEADLINE_EXCEEDED == outcome.kind
    assert has_hung_up.wait(LIMIT_S)


def test_server_that_is_not_there_is_a_status(dispatcher):
    port = free_port()
    status, reason, header, payload = values_of(dispatcher, GET, f"http://127.0.0.1:{port}/")
    assert (9003, b"", b"") == (status, header, payload)
    assert f"connect(127.0.0.1:{port}) failed: Connection refused".encode() == reason


def test_truncated_payload_is_handed_over_and_logged(dispatcher, server):
    def break_off(conversation):
        conversation.send(answer(payload=b"abc", length=100))
        conversation.close()

    server.on("/", break_off)
    outcome = dispatcher.call(script_of(GET), "f", f"{server.origin}/", deadline_s=LIMIT_S)
    assert [200, b"OK", b"", b"abc"] == outcome.values
    assert ["error"] == [line.level for line in outcome.logs]
    assert outcome.logs[0].text.startswith("ERROR: REQUEST PAYLOAD READ ERROR: ")


ANSWERED = """
local url = "{url}"
local client = dovecot.http.client({{}})
local first = client:request({{ url = url .. "/top" }}):submit():status()
local second
function script_init()
   second = client:request({{ url = url .. "/init" }}):submit():status()
   return 0
end
function f() return first, second end"""


@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_script_may_ask_while_it_loads(own, server, dialect):
    server.on("/top", answer("201 Top"))
    server.on("/init", answer("202 Init"))
    with LocalPool(own), Dispatcher(own) as dispatcher:
        assert [201, 202] == values_of(dispatcher, ANSWERED.format(url=server.origin), dialect=dialect)


def test_connections_of_a_script_go_with_it(own, server):
    has_hung_up = threading.Event()

    def answer_and_wait(conversation):
        conversation.send(answer())
        conversation.hang()
        has_hung_up.set()

    server.on("/", answer_and_wait)
    settings = _with_engine(own, EngineSettings(max_instances=1))
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert 200 == values_of(dispatcher, GET, f"{server.origin}/")[0]
        # A second script takes the only place.
        assert [] == values_of(dispatcher, "function f() end")
        assert has_hung_up.wait(LIMIT_S)


#: The same question by dovecot.http and by socket.http: (status or nil, text).
BOTH_WAYS = """
local http = require "socket.http"
function dovecot_http(url)
   local response = dovecot.http.client({}):request({ url = url }):submit()
   return response:status(), response:reason()
end
function socket_http(url)
   local ok, status = http.request({ url = url })
   return ok and status or 9003, tostring(status)
end"""


@pytest.mark.parametrize("function", ["dovecot_http", "socket_http"])
@pytest.mark.parametrize(
    ("egress", "status"),
    [
        pytest.param([], 200, id="no rules"),
        pytest.param(["127.0.0.0/8"], 200, id="allowed"),
        pytest.param(["192.0.2.0/24"], 9003, id="refused"),
    ],
)
def test_rules_hold_for_every_request_of_a_script(dispatcher, server, function, egress, status):
    script = script_of(BOTH_WAYS, egress=egress)
    outcome = dispatcher.call(script, function, f"{server.origin}/", deadline_s=LIMIT_S)
    assert [OutcomeKind.OK, status] == [outcome.kind, outcome.values[0]], outcome
    assert (status == 200) == bool(server.asked)


def test_refused_request_says_why(dispatcher, server):
    script = script_of(BOTH_WAYS, egress=["192.0.2.0/24"])
    outcome = dispatcher.call(script, "dovecot_http", f"{server.origin}/", deadline_s=LIMIT_S)
    assert b"egress" in outcome.values[1]


def _with_engine(settings, engine):
    return type(settings)(key=settings.key, redis=settings.redis, pool=settings.pool, engine=engine)
