"""What Lua hands over and gets back: plain values in both directions."""

from __future__ import annotations

import pytest

from workers.http.failure import ABORTED, CONNECT_FAILED
from workers.http.message import Request, Response, Stats
from workers.http.network import Cancel, Network
from workers.http.operation import answer_of, http_submit, request_of
from workers.http.options_24 import settings_of
from workers.http.registry import ClientRegistry
from workers.http.url import parse_url
from workers.operations.operation import CancelToken

URL = parse_url(b"http://h/x")

#: Last part of a request.
SYNC, NO_SYNC = True, False


class Recorder:
    """A client that keeps what it is given."""

    def __init__(self, settings):
        self.settings = settings
        self.requests = []
        self.close_count = 0
        self.cancels = []

    def submit(self, request, deadline_s, cancel):
        self.requests.append((request, deadline_s))
        cancel.add(lambda: self.cancels.append(request))
        return Response(status=200, reason=b"OK", url=request.url)

    def close(self):
        self.close_count += 1


@pytest.fixture
def recorders():
    return []


@pytest.fixture
def registry(recorders):
    def make(settings, _network):
        recorders.append(Recorder(settings))
        return recorders[-1]

    return ClientRegistry(make)


def test_request_is_made_of_texts():
    expected = Request(
        method=b"POST",
        url=URL,
        headers=((b"A", b"1"), (b"", b""), (b"B", b"2")),
        disabled=frozenset({b"host", b"date"}),
        payload=b"data",
        is_sync=True,
    )
    assert expected == request_of(b"POST", b"http://h/x", b"A\x001\x00\0\0B\x002\0", b"host,date", b"data", SYNC)


def test_request_without_anything():
    assert Request(method=b"GET", url=URL) == request_of(b"GET", b"http://h/x", b"", b"", None, NO_SYNC)


def test_empty_payload_is_one():
    assert request_of(b"GET", b"http://h/x", b"", b"", b"", NO_SYNC).payload == b""


def test_answer_is_made_of_plain_values():
    stats = Stats(attempts=2, redirects=1, net_in_bytes=30, net_out_bytes=40)
    response = Response(
        status=200,
        reason=b"OK",
        headers=((b"A", b"1"), (b"Empty", b"")),
        payload=b"a\0b",
        log=((b"error", b"gone"),),
        stats=stats,
        url=URL,
    )
    expected = (200, b"OK", b"A\x001\0Empty\0\0", b"a\0b", b"error\0gone\0", b"http://h/x", 2, 1, 30, 40)
    assert expected == answer_of(response)


def test_texts_of_an_answer_end_at_a_nul():
    response = Response(status=200, reason=b"O\0K", headers=((b"A\0x", b"1\0x"),), url=URL)
    assert (b"O", b"A\x001\0") == answer_of(response)[1:3]


def test_request_goes_through_its_client(registry, recorders):
    submit = http_submit(registry)
    registry.open(settings_of([]), Network())
    client_id = registry.open(settings_of([]), Network())
    answer = submit(CancelToken(), client_id, b"GET", b"http://h/x", b"", b"", None, NO_SYNC)
    assert answer[0] == 200
    assert [[], [(Request(method=b"GET", url=URL), None)]] == [recorder.requests for recorder in recorders]


def test_cancelled_call_cancels_its_request(registry, recorders):
    token = CancelToken()
    client_id = registry.open(settings_of([]), Network())
    http_submit(registry)(token, client_id, b"GET", b"http://h/x", b"", b"", None, NO_SYNC)
    token.cancel()
    assert [Request(method=b"GET", url=URL)] == recorders[0].cancels


def test_closed_client_answers_that_it_aborted(registry, recorders):
    client_id = registry.open(settings_of([]), Network())
    registry.close(client_id)
    response = registry.submit(client_id, Request(method=b"GET", url=URL), Cancel())
    assert (ABORTED, b"Aborted", []) == (response.status, response.reason, recorders[0].requests)


def test_client_is_closed_once(registry, recorders):
    client_id = registry.open(settings_of([]), Network())
    registry.close(client_id)
    registry.close(client_id)
    assert (1, 0) == (recorders[0].close_count, len(registry))


def test_unknown_client_is_no_error(registry):
    registry.close(77)
    assert registry.submit(77, Request(method=b"GET", url=URL), Cancel()).status == ABORTED


@pytest.mark.parametrize(("url", "status"), [(b"http://h/", 200), (b"https://h/", CONNECT_FAILED)])
def test_wrong_tls_option_is_told_by_https_requests_only(registry, url, status):
    client_id = registry.open(settings_of([(b"ssl_client_require_valid_cert", b"string", b"cow")]), Network())
    response = registry.submit(client_id, Request(method=b"GET", url=parse_url(url)), Cancel())
    assert status == response.status
    if status == CONNECT_FAILED:
        assert response.reason == (
            b"Couldn't initialize SSL client context: "
            b"ssl_client_require_valid_cert=cow: Invalid boolean value: cow (use yes or no)"
        )
