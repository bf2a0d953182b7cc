"""Calls that wait: parked, resumed, ended at their deadline; and nobody else is held up meanwhile."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.settings import PoolSettings

SCRIPT = Script.from_stream(
    "waiting",
    b"""
    local socket = require "socket"
    local http = require "socket.http"

    function nap(seconds, value) socket.sleep(seconds) return value end
    function ping() return "pong" end
    function get(url) local body, code = http.request(url) return body, code end
    function get_in_coroutine(url)
       local co = coroutine.wrap(function() local body = http.request(url) coroutine.yield(body) end)
       return co()
    end
    function get_in_pcall(url) return pcall(http.request, url) end
    """,
)


class Gate(BaseHTTPRequestHandler):
    """Answers each request when the test opens the gate."""

    def do_GET(self):
        self.server.arrived.release()
        self.server.gate.wait(30)
        body = f"answer to {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def backend():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    server.daemon_threads = True
    server.gate = threading.Event()
    server.arrived = threading.Semaphore(0)
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.gate.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def waiting(settings):
    """A dispatcher on a queue of its own with a single worker."""
    one = replace(
        settings,
        dispatch=replace(settings.dispatch, queue="waiting"),
        pool=PoolSettings(workers=1, grace_s=5.0),
    )
    with LocalPool(one), Dispatcher(one) as dispatcher:
        yield dispatcher


def test_request_that_waits_holds_up_nobody(waiting, backend):
    slow = [waiting.submit(SCRIPT, "get", [f"{backend.url}{n}"], deadline_s=30) for n in range(20)]
    for _ in slow:
        assert backend.arrived.acquire(timeout=10)
    # All twenty are with the backend at once, and the only worker answers others.
    assert [b"pong"] == waiting.call(SCRIPT, "ping").values
    backend.gate.set()
    assert [[f"answer to /{n}".encode(), 200] for n in range(20)] == [call.result(timeout=10).values for call in slow]


@pytest.mark.parametrize("function", ["get_in_coroutine", "get_in_pcall"])
def test_waiting_works_inside(waiting, backend, function):
    backend.gate.set()
    values = waiting.call(SCRIPT, function, f"{backend.url}x", deadline_s=20).values
    assert b"answer to /x" in values


def test_parked_call_ends_at_its_deadline_and_the_worker_goes_on(waiting, backend):
    outcome = waiting.call(SCRIPT, "get", backend.url, deadline_s=0.3)
    assert OutcomeKind.DEADLINE_EXCEEDED is outcome.kind
    backend.gate.set()
    assert [b"pong"] == waiting.call(SCRIPT, "ping").values


def test_sleepers_wake_in_their_own_order(waiting):
    calls = [waiting.submit(SCRIPT, "nap", [seconds, seconds], deadline_s=20) for seconds in (0.3, 0.1, 0.2)]
    assert [[0.3], [0.1], [0.2]] == [call.result(timeout=10).values for call in calls]


def test_script_init_may_wait_and_calls_wait_for_it(waiting, backend):
    source = b"""
    local http = require "socket.http"
    function script_init(settings) answer = http.request(settings.url) end
    function f() return answer end
    """
    from dispatcher.protocol.settings import ScriptSettings

    script = Script.from_stream("init", source, ScriptSettings(settings={"url": f"{backend.url}init"}))
    calls = [waiting.submit(script, "f", [], deadline_s=20) for _ in range(3)]
    assert backend.arrived.acquire(timeout=10)
    assert [b"pong"] == waiting.call(SCRIPT, "ping").values
    backend.gate.set()
    assert [[b"answer to /init"]] * 3 == [call.result(timeout=10).values for call in calls]


def test_logs_of_calls_that_wait_stay_apart(waiting):
    source = b"""
    local socket = require "socket"
    function f(name)
       dovecot.i_info(name .. " begins")
       socket.sleep(0.05)
       dovecot.event():log_warning(name .. " ends")
       return name
    end
    """
    script = Script.from_stream("logs", source)
    calls = {n: waiting.submit(script, "f", [str(n)], deadline_s=20) for n in range(10)}
    for number, call in calls.items():
        outcome = call.result(timeout=10)
        expected = [("info", f"{number} begins"), ("warning", f"{number} ends")]
        assert expected == [(line.level, line.text) for line in outcome.logs]
