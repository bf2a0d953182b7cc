"""What is made of answers, good and bad (reference §4.8)."""

import pytest

from tests.integration.http.asking import request
from tests.integration.http.fault_server import OK, answer

ERROR = b"ERROR: REQUEST PAYLOAD READ ERROR: "


def outcome(response):
    return response.status, response.reason.decode("latin-1")


def test_response_has_status_reason_headers_and_payload(server, ask):
    server.on(
        "/",
        b"HTTP/1.1 299 All is \xe9 well \r\nX-A:  one  \r\nx-a:two\r\nEmpty:\r\nContent-Length: 4\r\n\r\n\0\r\n\xff",
    )
    response = ask(server.origin + "/")
    assert (299, b"All is \xe9 well ", b"\0\r\n\xff") == (response.status, response.reason, response.payload)
    headers = ((b"X-A", b"one"), (b"x-a", b"two"), (b"Empty", b""), (b"Content-Length", b"4"))
    assert headers == response.headers
    assert () == response.log


def test_sizes_are_counted(server, ask):
    response = ask(server.origin + "/")
    assert (len(OK), len(server.asked[0])) == (response.stats.net_in_bytes, response.stats.net_out_bytes)
    assert (1, 0) == (response.stats.attempts, response.stats.redirects)


@pytest.mark.parametrize("status", [100 + 101, 299, 404, 599])
def test_any_status_is_an_answer(server, ask, status):
    server.on("/", answer(f"{status} X"))
    assert status == ask(server.origin + "/").status


def test_reason_may_be_empty(server, ask):
    server.on("/", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
    assert (200, "") == outcome(ask(server.origin + "/"))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(
            b"hello there\r\nand so on\r\n",
            "Invalid HTTP version in response: `hello there'<CR><LF>`and so '",
            id="no HTTP",
        ),
        pytest.param(b"\x00\xff\n12345", "Invalid HTTP version in response: <0x00><0xff><LF>`12345'", id="binary"),
        pytest.param(
            b"http/1.1 200 OK\r\n\r\n", "Invalid HTTP version in response: `http/1.1 200 OK'<CR><LF><CR><LF>", id="case"
        ),
        pytest.param(
            b"HTTP/1.1 200\r\n\r\n",
            "Expected ' ' after response status code, but found <CR><LF><CR><LF>",
            id="no blank",
        ),
        pytest.param(
            b"HTTP/1.1\r\n\r\n", "Expected ' ' after response version, but found <CR><LF><CR><LF>", id="no status"
        ),
        pytest.param(b"HTTP/1.1 99 X\r\n\r\n", "Invalid HTTP status code in response", id="two digits"),
        pytest.param(b"HTTP/1.1 099 X\r\n\r\n", "Invalid HTTP status code in response", id="below 100"),
        pytest.param(b"HTTP/1.1 600 X\r\n\r\n", "Invalid HTTP status code in response", id="above 599"),
        pytest.param(b"HTTP/1.1 abc X\r\n\r\n", "Invalid HTTP status code in response", id="letters"),
        pytest.param(
            b"HTTP/1.1 200 O\x00K\r\n\r\n",
            "Expected line end after response, but found <0x00>`K'<CR><LF><CR><LF>",
            id="NUL",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nBad header\r\n\r\n",
            "Failed to parse header: Expected ':' after header field name 'Bad', but found ' '",
            id="no colon",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nBad\r\n\r\n",
            "Failed to parse header: Expected ':' after header field name 'Bad', but found 0x0d",
            id="name alone",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "Failed to parse header: Empty header field name", id="no name"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
            "Failed to parse header: Expected LF after CR at end of header field 'A', but found 'y'",
            id="stray CR",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
            "Message has both a Transfer-Encoding and a Content-Length header",
            id="both lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "Duplicate Content-Length header",
            id="two lengths",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Invalid Content-Length header", id="negative"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok", "Invalid Content-Length header", id="2x"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "Invalid Content-Length header",
            id="2^64",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,\r\n\r\n", "Invalid Transfer-Encoding header", id="no coding"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Unknown transfer coding `gzip'", id="gzip"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            "Chunked Transfer-Encoding must be last",
            id="chunked first",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: a b\r\n\r\n", "Invalid Transfer-Encoding header", id="a b"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: ,\r\n\r\n", "Invalid Connection header", id="no connection"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nDate: x\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
            "Duplicate Date header",
            id="two dates",
        ),
        pytest.param(
            b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
            "Unexpected Content-Length header field for 204 response (length=5)",
            id="204 with a payload",
        ),
    ],
)
def test_bad_answer_is_9007_and_says_what_is_wrong(server, ask, sent, reason):
    server.on("/", lambda talk: (talk.send(sent), talk.hang()))
    response = ask(server.origin + "/")
    assert (9007, reason) == outcome(response)
    assert ((), b"", 1) == (response.headers, response.payload, response.stats.attempts)


def test_garbage_without_a_line_end_is_not_waited_for(server, ask):
    server.on("/", lambda talk: (talk.send(b"garbage!"), talk.hang()))
    assert (9007, "Invalid HTTP version in response: `garbage!'") == outcome(ask(server.origin + "/"))


def test_connection_that_ends_within_the_head_is_lost(server, ask):
    server.on("/", lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\nA: b\r\n"), talk.close()))
    response = ask(server.origin + "/")
    assert (9005, True) == (response.status, b"failed: EOF (" in response.reason)


def test_reset_instead_of_an_answer_is_a_lost_connection(server, ask):
    server.on("/", lambda talk: talk.reset())
    response = ask(server.origin + "/")
    assert (9005, True) == (response.status, b"failed: Connection reset by peer (" in response.reason)


# Lenient where Dovecot is.


@pytest.mark.parametrize(
    ("sent", "name", "value"),
    [
        pytest.param(b"HTTP/1.1 200 OK\nA: b\nContent-Length: 0\n\n", b"A", b"b", id="LF alone"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: one\r\n \t two\r\nContent-Length: 0\r\n\r\n", b"A", b"one two", id="folded"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA:\r\n two\r\nContent-Length: 0\r\n\r\n", b"A", b"two", id="folded from empty"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: o\x00n\x01e\r\nContent-Length: 0\r\n\r\n", b"A", b"one", id="control bytes"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: \xff\r\nContent-Length: 0\r\n\r\n", b"A", b"\xff", id="eight bits"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b:c\r\nContent-Length: 0\r\n\r\n", b"A", b"b:c", id="colon in the value"),
    ],
)
def test_header_forms_are_read(server, ask, sent, name, value):
    server.on("/", sent)
    response = ask(server.origin + "/")
    assert 200 == response.status
    assert (name, value) == response.headers[0]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_answer_in_small_pieces_is_put_together(server, ask, size):
    head = b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nTransfer-Encoding: chunked\r\n\r\n"
    text = head + b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\n"

    def script(talk):
        for place in range(0, len(text), size):
            talk.send(text[place : place + size])

    server.on("/", script)
    response = ask(server.origin + "/")
    assert (b"abcd", (b"A", b"b c")) == (response.payload, response.headers[0])


# Limits of the head: at the limit, and one more.


@pytest.mark.parametrize(("count", "status"), [(50, 200), (51, 9007), (10_000, 9007)])
def test_number_of_fields_is_limited_to_50(server, ask, count, status):
    server.on("/", answer("200 OK", *["X: y"] * (count - 1)))
    response = ask(server.origin + "/")
    assert status == response.status
    if status == 9007:
        assert b"Failed to parse header: Excessive number of header fields" == response.reason


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 9007)])
def test_size_of_a_field_is_limited(server, ask, extra, status):
    # The line with its end is what counts.
    value = "v" * (100 - len("Name: \r\n") + extra)
    server.on("/", answer("200 OK", f"Name: {value}"))
    response = ask(server.origin + "/", response_hdr_max_field_size_bytes=100)
    assert status == response.status
    if extra:
        assert b"Failed to parse header: Excessive header field size" == response.reason


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 9007)])
def test_size_of_all_fields_is_limited(server, ask, extra, status):
    fields = "Content-Length: 0\r\nName: \r\n\r\n"
    value = "v" * (200 - len(fields) + extra)
    server.on("/", f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nName: {value}\r\n\r\n".encode())
    response = ask(server.origin + "/", response_hdr_max_size_bytes=200)
    assert status == response.status
    if extra:
        assert b"Failed to parse header: Excessive header size" == response.reason


@pytest.mark.parametrize("endless", [b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\nA: b\r\n ", b"HTTP/1.1 200 "])
def test_endless_head_ends_at_the_limit(server, ask, endless):
    def script(talk):
        talk.send(endless)
        while True:
            talk.send(b"x" * 65536)

    server.on("/", script)
    assert 9007 == ask(server.origin + "/").status


def test_limit_of_zero_is_none(server, ask):
    server.on("/", answer("200 OK", *["X: y"] * 1000, "Y: " + "v" * 20_000))
    limits = {"response_hdr_max_fields": 0, "response_hdr_max_field_size_bytes": 0, "response_hdr_max_size_bytes": 0}
    assert 200 == ask(server.origin + "/", **limits).status


# Payloads.


@pytest.mark.parametrize(
    ("method", "status", "fields"),
    [
        ("HEAD", "200 OK", "Content-Length: 100"),
        ("HEAD", "200 OK", "Transfer-Encoding: chunked"),
        ("GET", "204 No Content", "A: b"),
        ("GET", "304 Not Modified", "Content-Length: 100"),
    ],
)
def test_answer_without_a_payload_is_not_waited_for(server, make_client, method, status, fields):
    server.on("/", f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode())
    client = make_client(auto_redirect=False)
    response = client.submit(request(server.origin + "/", method))
    assert (int(status[:3]), b"") == (response.status, response.payload)
    client.submit(request(server.origin + "/", method))
    assert 1 == server.connection_count


def test_head_in_small_letters_has_a_payload(server, ask):
    assert b"ok" == ask(server.origin + "/", "head").payload


def test_payload_may_end_with_the_connection(server, ask):
    server.on("/", lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n\r\nall of it"), talk.close()))
    response = ask(server.origin + "/")
    assert (b"all of it", ()) == (response.payload, response.log)


def test_http_1_0_closes_unless_it_says_otherwise(server, make_client):
    server.on("/", lambda talk: (talk.send(answer(payload=b"old", version="1.0")), talk.close()))
    server.on("/kept", answer("200 OK", "Connection: Keep-Alive", version="1.0"))
    client = make_client()
    assert b"old" == client.submit(request(server.origin + "/")).payload
    for _ in range(3):
        client.submit(request(server.origin + "/kept"))
    assert 2 == server.connection_count


def test_compressed_payload_is_left_as_it_is(server, ask):
    server.on("/", answer("200 OK", "Content-Encoding: gzip", payload=b"\x1f\x8bxx"))
    assert b"\x1f\x8bxx" == ask(server.origin + "/").payload


@pytest.mark.parametrize(
    ("sent", "payload", "problem"),
    [
        pytest.param(
            answer(payload=b"abc", length=100),
            b"abc",
            b"Disconnected while reading message payload at offset 3 (wanted 100): Connection closed",
            id="shorter than its length",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            b"abc",
            b"Unexpected end of payload",
            id="in a chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"abc",
            b"Unexpected end of payload",
            id="between chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
            b"abc",
            b"Expected chunk size digit, but found 'z'",
            id="bad size",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3x\r\nabc",
            b"",
            b"Expected new line after chunk size, but found 'x'",
            id="bad extension",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
            b"abc",
            b"Expected new line after chunk data, but found 'd'",
            id="longer than its size",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            b"",
            b"Chunk size exceeds integer limit",
            id="huge size",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            b"",
            b"Expected chunk size digit, but found 0x0d",
            id="no size",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 10_000,
            b"",
            b"Invalid chunked extension value",
            id="endless extension",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n" + b"T: x\r\n" * 101,
            b"a",
            b"Failed to parse chunked trailer: Excessive number of header fields",
            id="endless trailers",
        ),
    ],
)
def test_broken_payload_keeps_the_status_and_is_logged(server, ask, sent, payload, problem):
    server.on("/", lambda talk: (talk.send(sent), talk.close()))
    response = ask(server.origin + "/", request_max_attempts=3)
    assert (200, b"OK", payload) == (response.status, response.reason, response.payload)
    assert ((b"error", ERROR + problem),) == response.log
    assert 1 == len(server.asked)


def test_reset_within_the_payload_is_logged(server, ask):
    server.on("/", lambda talk: (talk.send(answer(payload=b"abc", length=100)), talk.reset()))
    response = ask(server.origin + "/")
    assert (200, b"abc") == (response.status, response.payload)
    expected = b"Disconnected while reading message payload at offset 3: Connection closed: read("
    assert response.log[0][1].startswith(ERROR + expected)
    assert response.log[0][1].endswith(b" failed: Connection reset by peer")


def test_longer_payload_than_its_length_is_cut_and_ends_the_connection(server, make_client):
    server.on("/", answer(payload=b"abc", length=2))
    client = make_client()
    assert b"ab" == client.submit(request(server.origin + "/")).payload
    assert 200 == client.submit(request(server.origin + "/")).status
    assert 2 == server.connection_count


CAP = 100_000


@pytest.mark.parametrize(("size", "status"), [(CAP - 1, 200), (CAP, 200), (CAP + 1, 9007)])
@pytest.mark.parametrize("form", ["length", "chunked", "end"])
def test_payload_is_capped(server, make_client, form, size, status):
    fields = {"length": b"Content-Length: %d\r\n" % size, "chunked": b"Transfer-Encoding: chunked\r\n", "end": b""}[
        form
    ]
    body = b"x" * size
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if form == "chunked" else body
    server.on("/", lambda talk: (talk.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n" + framed), talk.close()))
    response = make_client(options={"max_payload_bytes": CAP}).submit(request(server.origin + "/"))
    assert status == response.status
    if status == 9007:
        assert f"Response payload is larger than {CAP} bytes".encode() == response.reason


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1073741824\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_gigabyte_is_refused_before_it_is_read(server, ask, head):
    sent = []

    def script(talk):
        talk.send(b"HTTP/1.1 200 OK\r\n" + head)
        chunk = b"x" * 65536
        chunk = b"10000\r\n" + chunk + b"\r\n" if b"chunked" in head else chunk
        while len(sent) < 16_384:
            talk.send(chunk)
            sent.append(len(chunk))

    server.on("/", script)
    assert 9007 == ask(server.origin + "/").status
    # What was read, and what lay in the sockets' buffers.
    assert sum(sent) < 40 * 1024 * 1024


#: A payload that no socket buffer takes, and whose length the server does not learn: it answers without reading it.
UNREAD = {
    "payload": b"x" * 8_000_000,
    "headers": ((b"Content-Length", b"0"),),
    "disabled": frozenset({b"content-length"}),
}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (answer("413 Too Large"), (413, "Too Large")),
        (OK, (9007, "Server responded with success response before all payload was sent")),
    ],
    ids=["refusal", "success"],
)
def test_answer_before_the_payload_was_taken(server, ask, sent, expected):
    server.on("/", lambda talk: (talk.send(sent), talk.close()))
    assert expected == outcome(ask(server.origin + "/", "POST", UNREAD))


def test_hang_up_before_the_payload_was_taken_is_a_lost_connection(server, ask):
    server.on("/", lambda talk: talk.close())
    response = ask(server.origin + "/", "POST", UNREAD)
    assert (9005, True) == (response.status, response.reason.startswith(b"Connection lost: Remote disconnected ("))
