"""The decoders of what comes over the network to workers: HTTP responses, URLs, dates, DNS answers and its files."""

import struct
import time

from tests.fuzz.decoder import Decoder
from workers.dns.literal import parse_literal
from workers.dns.message import (
    AnswerError,
    answered_id,
    is_answer,
    is_truncated,
    name_bytes,
    question_bytes,
    read_answer,
)
from workers.dns.system_files import parse_hosts, parse_resolv_conf
from workers.http.failure import HttpFailure
from workers.http.following import Follow, Rules, decide
from workers.http.http_date import parse_http_date
from workers.http.response_body import PayloadReader, framing
from workers.http.response_head import HeadLimits, HeadReader
from workers.http.url import UrlError, parse_url

#: Bytes of a payload that are read at most.
MAX_PAYLOAD_BYTES = 4096

_HEAD = b"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nConnection: keep-alive\r\n"
_RESPONSES = [
    _HEAD + b"Content-Length: 5\r\n\r\nhello",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 302 Found\r\nLocation: http://h/\r\nX-Long: a\r\n b\r\n\r\n",
]

_FOLLOWED = [
    b"HTTP/1.1 302 Found\r\nLocation: https://h:1/a?b\r\n\r\n",
    b"HTTP/1.1 503 no\r\nDate: Tue, 15 Nov 2094 08:12:31 GMT\r\nRetry-After: 20\r\n\r\n",
    b"HTTP/1.1 303 See Other\r\nLocation: http://[::1]/\r\nRetry-After: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\n",
]

_QUESTION = question_bytes(name_bytes(b"www.example"), 1)
_RECORD = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + b"\xc0\x00\x02\x01"
_ALIAS = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 4) + b"\x01b\xc0\x10"
_DNS_ANSWERS = [
    struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0) + _QUESTION + _RECORD,
    struct.pack(">HHHHHH", 7, 0x8180, 1, 2, 0, 0) + _QUESTION + _ALIAS + _RECORD,
    struct.pack(">HHHHHH", 7, 0x8183, 1, 0, 0, 0) + _QUESTION,
]


class _Pieces:
    """A stream that gives what it has and then ends."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)

    def read(self, _deadline_s=None):
        return self._pieces.pop(0) if self._pieces else b""


def _response(data):
    reader = HeadReader(HeadLimits(2000, 500, 50))
    for start in range(0, len(data), 23):
        found = reader.feed(data[start : start + 23])
        if found is not None:
            head, rest = found
            payload = PayloadReader(_Pieces(data[start + 23 :]), rest, MAX_PAYLOAD_BYTES)
            return payload.read(framing(head, b"GET"))
    return None


_RULES = Rules(
    max_attempts=2,
    timeout_s=5.0,
    connect_timeout_s=5.0,
    absolute_timeout_s=None,
    is_retrying=True,
    is_redirecting=True,
    max_redirects=3,
    max_delay_s=60,
)


def _follow(data):
    """What an answer asks for: another attempt, at its time, or another place."""
    found = HeadReader(HeadLimits(2000, 500, 50)).feed(data)
    if found is None:
        return
    following = decide(found[0], _RULES, time.time(), is_expecting=False)
    # Never later than the client may wait.
    assert following.kind is not Follow.RETRY or following.at_unix_s <= time.time() + _RULES.max_delay_s
    if following.kind is Follow.REDIRECT:
        assert parse_url(following.location, allows_userinfo=False).user is None


def _dns_answer(data):
    if answered_id(data) < 0 or not is_answer(data, _QUESTION) or is_truncated(data):
        return None
    return read_answer(data, _QUESTION)


NETWORK = [
    Decoder("HTTP response", _response, _RESPONSES, (HttpFailure,)),
    Decoder("HTTP answer to follow", _follow, _FOLLOWED, (HttpFailure, UrlError)),
    Decoder("HTTP date", parse_http_date, [b"Tue, 15 Nov 1994 08:12:31 GMT", b"Tuesday, 15-Nov-94 08:12:31 GMT"]),
    Decoder(
        "URL",
        parse_url,
        [b"http://u:p@www.example:80/a%20b?c=d", b"https://[::1]/", b"http://10.0.0.1/x"],
        (UrlError,),
    ),
    Decoder("DNS answer", _dns_answer, _DNS_ANSWERS, (AnswerError,)),
    Decoder("hosts", lambda data: parse_hosts(data.decode("utf-8", "replace")), [b"127.0.0.1 a b # c\n::1 d\n"]),
    Decoder(
        "resolv.conf",
        lambda data: parse_resolv_conf(data.decode("utf-8", "replace")),
        [b"nameserver 10.0.0.1\nsearch a b\noptions ndots:2 timeout:1 attempts:3\n"],
    ),
    Decoder("address", lambda data: parse_literal(data.decode("utf-8", "replace")), [b"192.0.2.1", b"fe80::1%eth0"]),
]
