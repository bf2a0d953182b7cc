"""Waiting for `100 Continue` (reference §4.5, and §9 for the peer that said it once and then no more)."""

from tests.integration.http.asking import request
from tests.integration.http.fault_server import LIMIT_S, OK, answer

#: Of the clients here: how long they wait for a 100.
WAIT_S = 0.5
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Read by a server that was never asked to continue.
SIZE = len(b"payload")


def sync(server, method="POST"):
    return request(server.origin + "/", method, payload=b"payload", is_sync=True)


def impatient(make_client, **settings):
    return make_client(options={"continue_wait_s": WAIT_S}, **settings)


class Continuing:
    """A server's script that says 100, keeps the payload and answers."""

    def __init__(self, *, says_continue=True):
        self.says_continue = says_continue
        self.payloads = []

    def __call__(self, talk):
        if self.says_continue:
            talk.send(CONTINUE)
        self.payloads.append(talk.read_payload(SIZE))
        talk.send(OK)


def test_payload_is_sent_after_the_100(server, make_client):
    script = Continuing()
    server.on("/", script)
    # A client that did not see the 100 would wait far longer than the test may take.
    response = make_client(options={"continue_wait_s": LIMIT_S}).submit(sync(server))
    assert (200, [b"payload"]) == (response.status, script.payloads)


def test_payload_without_a_100_is_sent_after_the_wait(server, make_client):
    script = Continuing(says_continue=False)
    server.on("/", script)
    response = impatient(make_client).submit(sync(server))
    assert (200, [b"payload"]) == (response.status, script.payloads)


def test_peer_that_never_said_100_is_not_asked_again(server, make_client):
    server.on("/", Continuing(says_continue=False), OK)
    client = impatient(make_client)
    client.submit(sync(server))
    client.submit(sync(server))
    assert [True, False] == [b"Expect" in asked for asked in server.asked]


def test_peer_that_said_100_once_gets_the_payload_after_the_wait_too(server, make_client):
    script = Continuing(says_continue=False)
    server.on("/", Continuing(), script)
    client = impatient(make_client)
    client.submit(sync(server))
    response = client.submit(sync(server))
    assert (200, [b"payload"]) == (response.status, script.payloads)


def test_peer_that_said_100_once_is_asked_again(server, make_client):
    server.on("/", Continuing(), Continuing(says_continue=False), Continuing())
    client = impatient(make_client)
    for _ in range(3):
        client.submit(sync(server))
    assert [True, True, True] == [b"Expect" in asked for asked in server.asked]


def test_attempt_time_out_runs_while_the_100_is_awaited(server, make_client):
    server.on("/", lambda talk: talk.hang())
    response = make_client(request_timeout_ms=100).submit(sync(server))
    assert (9008, True) == (response.status, response.reason.startswith(b"Request timed out ("))


def test_417_drops_the_expectation_and_tries_again(server, make_client):
    server.on("/", answer("417 Expectation Failed"), OK)
    client = make_client(request_max_attempts=2, auto_retry=False)
    response = client.submit(sync(server))
    assert (200, True) == (response.status, response.reason.startswith(b"OK (1 retries in "))
    assert [False, True] == [asked.endswith(b"payload") for asked in server.asked]


def test_417_without_an_attempt_left_is_the_answer(server, make_client):
    server.on("/", answer("417 Expectation Failed"), OK)
    response = make_client().submit(sync(server))
    assert (417, b"Expectation Failed") == (response.status, response.reason)


def test_417_is_remembered_for_the_peer(server, make_client):
    server.on("/", answer("417 Expectation Failed"), OK)
    client = make_client()
    client.submit(sync(server))
    client.submit(sync(server))
    assert [True, False] == [b"Expect" in asked for asked in server.asked]


def test_417_without_expect_is_an_ordinary_answer(server, ask):
    server.on("/", answer("417 Expectation Failed"))
    assert 417 == ask(server.origin + "/", request_max_attempts=3).status
    assert 1 == len(server.asked)


def test_final_answer_before_the_payload_ends_the_request(server, make_client):
    server.on("/", answer("403 Forbidden"))
    client = make_client()
    assert 403 == client.submit(sync(server)).status
    assert not server.asked[0].endswith(b"payload")
    client.submit(request(server.origin + "/"))
    # The server may still wait for the payload there, so the connection is not used again.
    assert 2 == server.connection_count


def test_sync_without_payload_expects_nothing(server, ask):
    ask(server.origin + "/", "POST", {"payload": b"", "is_sync": True})
    assert b"Expect" not in server.asked[0]


def test_interim_answers_are_skipped(server, ask):
    server.on("/", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CONTINUE + OK)
    response = ask(server.origin + "/")
    assert (200, b"ok") == (response.status, response.payload)


def test_100_with_a_payload_is_refused(server, ask):
    server.on("/", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + OK)
    response = ask(server.origin + "/")
    assert (9007, b"Unexpected Content-Length header field for 100 response (length=5)") == (
        response.status,
        response.reason,
    )
