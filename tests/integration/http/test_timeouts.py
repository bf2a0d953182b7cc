"""Every wait ends: time-outs of connects, of attempts and of whole requests, however slowly a server drips (§4.8)."""

import re
import threading
import time

import pytest

from tests.integration.http.asking import request
from tests.integration.http.fault_server import OK, answer, black_hole
from tests.waiting import wait_until
from workers.http.network import Cancel, Network

#: The time-out that is tested, and what may come on top of it on a machine that does other things.
SHORT_MS = 100
SLACK_S = 3.0


class Stopwatch:
    def __init__(self):
        self.started_s = time.monotonic()

    def assert_stopped_after(self, limit_ms: float):
        duration_s = time.monotonic() - self.started_s
        assert limit_ms / 1000 <= duration_s < limit_ms / 1000 + SLACK_S


def drip_head(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nX: ")
    talk.drip(b"y")


def drip_fields(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nA: b\r\n")
    talk.drip(b" x\r\n")


def drip_interim(talk):
    talk.drip(b"HTTP/1.1 102 Processing\r\n\r\n")


def hang(talk):
    talk.hang()


@pytest.mark.parametrize("fault", [hang, drip_head, drip_fields, drip_interim])
def test_attempt_ends_while_the_head_is_awaited(server, ask, fault):
    server.on("/", fault)
    watch = Stopwatch()
    response = ask(server.origin + "/", request_timeout_ms=SHORT_MS)
    watch.assert_stopped_after(SHORT_MS)
    expected = (
        rb"Request timed out \(Request queued \d+\.\d{3} secs ago, 1 send attempts in \d+\.\d{3} secs, "
        rb"0\.000 in other ioloops, connected \d+\.\d{3} secs ago\)"
    )
    assert 9008 == response.status
    assert re.fullmatch(expected, response.reason)


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000000\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"]
)
def test_attempt_ends_while_the_payload_drips_and_is_not_repeated(server, ask, head):
    server.on("/", lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n" + head), talk.drip(b"x")))
    watch = Stopwatch()
    response = ask(server.origin + "/", request_timeout_ms=SHORT_MS, request_max_attempts=3)
    watch.assert_stopped_after(SHORT_MS)
    assert (9008, b"", 1) == (response.status, response.payload, len(server.asked))


def test_attempt_ends_while_nobody_takes_the_payload(server, ask):
    release = threading.Event()
    server.on("/", lambda _talk: release.wait(SLACK_S))
    parts = {
        "payload": b"x" * 20_000_000,
        "headers": ((b"Content-Length", b"0"),),
        "disabled": frozenset({b"content-length"}),
    }
    assert 9008 == ask(server.origin + "/", "POST", parts, request_timeout_ms=SHORT_MS).status
    release.set()


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        ("GET", "read_request_timeout_ms"),
        ("head", "read_request_timeout_ms"),
        ("POST", "write_request_timeout_ms"),
        ("PUT", "write_request_timeout_ms"),
        ("DELETE", "delete_request_timeout_ms"),
    ],
)
def test_time_out_depends_on_the_method(server, ask, method, setting):
    server.on("/", hang)
    watch = Stopwatch()
    assert 9008 == ask(server.origin + "/", method, **{setting: SHORT_MS}).status
    watch.assert_stopped_after(SHORT_MS)


def test_absolute_time_out_covers_all_attempts(server, ask):
    server.on("/", hang)
    watch = Stopwatch()
    settings = {"request_timeout_ms": 400, "request_max_attempts": 100, "request_absolute_timeout_ms": 1000}
    response = ask(server.origin + "/", **settings)
    watch.assert_stopped_after(1000)
    assert (9008, 3) == (response.status, response.stats.attempts)
    expected = (
        rb"Absolute request timeout expired \(Request queued \d+\.\d{3} secs ago, 2 times retried, "
        rb"3 send attempts in \d+\.\d{3} secs, \d+\.\d{3} in last attempt, 0\.000 in other ioloops, "
        rb"connected \d+\.\d{3} secs ago\)"
    )
    assert re.fullmatch(expected, response.reason)


def test_deadline_of_the_caller_ends_the_request(server, make_client):
    server.on("/", hang)
    watch = Stopwatch()
    response = make_client().submit(request(server.origin + "/"), time.monotonic() + SHORT_MS / 1000)
    watch.assert_stopped_after(SHORT_MS - 1)
    assert (9008, True) == (response.status, response.reason.startswith(b"Absolute request timeout expired ("))


@pytest.mark.parametrize("settings", [{"connect_timeout_ms": SHORT_MS}, {"request_timeout_ms": SHORT_MS}])
def test_connect_that_nobody_answers_ends(ask, settings):
    with black_hole("127.0.0.1") as port:
        watch = Stopwatch()
        response = ask(f"http://127.0.0.1:{port}/", **settings)
        watch.assert_stopped_after(SHORT_MS)
    assert 9003 == response.status
    expected = rb"connect\(127\.0\.0\.1:%d\) failed: Connection timed out in \d+\.\d{3} secs" % port
    assert re.fullmatch(expected, response.reason)


def test_absolute_time_out_ends_a_connect(ask):
    with black_hole("127.0.0.1") as port:
        watch = Stopwatch()
        response = ask(f"http://127.0.0.1:{port}/", request_absolute_timeout_ms=SHORT_MS)
        watch.assert_stopped_after(SHORT_MS)
    assert 9008 == response.status
    expected = (
        rb"Absolute request timeout expired \(Request queued \S+ secs ago, not yet sent, 0\.000 in other ioloops\)"
    )
    assert re.fullmatch(expected, response.reason)


def test_wait_for_a_connection_ends(server, make_client):
    release = threading.Event()
    server.on("/slow", lambda talk: (release.wait(SLACK_S), talk.send(OK)))
    client = make_client(max_parallel_connections=1)
    slow = threading.Thread(target=client.submit, args=(request(server.origin + "/slow"),))
    slow.start()
    wait_until(lambda: server.asked)
    response = client.submit(request(server.origin + "/"), time.monotonic() + SHORT_MS / 1000)
    release.set()
    slow.join()
    assert (9008, True) == (response.status, b"not yet sent" in response.reason)


# Cancelled calls.


class Waiting:
    """A request that waits on a thread of its own."""

    def __init__(self, client, asked):
        self.cancel = Cancel()
        self.responses = []
        self.thread = threading.Thread(target=lambda: self.responses.append(client.submit(asked, None, self.cancel)))
        self.thread.start()

    def assert_aborted(self):
        self.thread.join(SLACK_S)
        assert [(9000, b"Aborted")] == [(response.status, response.reason) for response in self.responses]


@pytest.mark.parametrize(
    "fault",
    [
        hang,
        drip_head,
        lambda talk: (talk.send(answer(payload=b"x", length=100)), talk.hang()),
        lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n\r\nx"), talk.hang()),
    ],
    ids=["silent", "head", "payload", "payload to the end"],
)
def test_cancelled_request_frees_its_thread(server, make_client, fault):
    server.on("/", fault)
    waiting = Waiting(make_client(request_max_attempts=3), request(server.origin + "/"))
    wait_until(lambda: server.asked)
    waiting.cancel.cancel()
    waiting.assert_aborted()
    assert 1 == len(server.asked)


def test_cancelled_connect_frees_its_thread(make_client):
    resolving = threading.Event()

    def resolve(_host, _timeout_s):
        resolving.set()
        return ["127.0.0.1"]

    with black_hole("127.0.0.1") as port:
        waiting = Waiting(make_client(Network(resolve=resolve)), request(f"http://hole.test:{port}/"))
        assert resolving.wait(SLACK_S)
        waiting.cancel.cancel()
        waiting.assert_aborted()


def test_cancelled_handshake_frees_its_thread(server, make_client):
    waiting = Waiting(make_client(), request(server.origin.replace("http:", "https:") + "/"))
    wait_until(lambda: server.connection_count)
    waiting.cancel.cancel()
    waiting.assert_aborted()


def test_cancelled_wait_for_retry_after_frees_its_thread(server, make_client):
    server.on("/", answer("503 S", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"))
    settings = {"request_max_attempts": 2, "max_auto_retry_delay_s": 2**32}
    waiting = Waiting(make_client(**settings), request(server.origin + "/"))
    wait_until(lambda: server.asked)
    waiting.cancel.cancel()
    waiting.assert_aborted()


def test_cancelled_wait_for_a_connection_frees_its_thread_and_the_place(server, make_client):
    server.on("/slow", hang)
    client = make_client(max_parallel_connections=1)
    slow = Waiting(client, request(server.origin + "/slow"))
    wait_until(lambda: server.asked)
    second = Waiting(client, request(server.origin + "/"))
    second.cancel.cancel()
    second.assert_aborted()
    slow.cancel.cancel()
    slow.assert_aborted()
    assert 200 == client.submit(request(server.origin + "/")).status


def test_request_that_was_cancelled_before_is_not_sent(server, make_client):
    cancel = Cancel()
    cancel.cancel()
    assert 9000 == make_client().submit(request(server.origin + "/"), None, cancel).status
    assert [] == server.asked


def test_request_that_was_cancelled_before_takes_no_place(server, make_client):
    cancel = Cancel()
    cancel.cancel()
    client = make_client(max_parallel_connections=1)
    assert 9000 == client.submit(request(server.origin + "/"), None, cancel).status
    assert 200 == client.submit(request(server.origin + "/")).status


@pytest.mark.parametrize("host", ["127.0.0.1", "some.test"])
def test_request_whose_deadline_has_passed_is_not_sent(server, make_client, host):
    client = make_client(Network(resolve=lambda *_: ["127.0.0.1"]))
    response = client.submit(request(f"http://{host}:{server.port}/"), time.monotonic() - 1)
    assert (9008, []) == (response.status, server.asked)


def test_closed_client_aborts_what_waits_and_what_comes(server, make_client):
    server.on("/", hang)
    client = make_client()
    waiting = Waiting(client, request(server.origin + "/"))
    wait_until(lambda: server.asked)
    client.close()
    waiting.assert_aborted()
    response = client.submit(request(server.origin + "/"))
    assert (9000, b"Aborted") == (response.status, response.reason)
