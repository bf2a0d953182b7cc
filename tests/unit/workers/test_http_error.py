"""Failures of the HTTP client in LuaSocket's words."""

import errno
import os
import socket
import ssl

import pytest

from workers.http import failure as ends
from workers.http.message import Response
from workers.http.url import parse_url
from workers.operations.http_error import response_words


def words(status: int, *causes: BaseException) -> str:
    failure: BaseException = ends.HttpFailure(status, "in Dovecot's words")
    current = failure
    for cause in causes:
        current.__cause__ = cause
        current = cause
    return response_words(Response(status=status, reason=b"", url=parse_url(b"http://x/"), failure=failure))


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ECONNREFUSED, "connection refused"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.ECONNRESET, "closed"),
        (errno.EACCES, "permission denied"),
        (errno.EHOSTUNREACH, "no route to host"),
    ],
)
def test_errors_of_the_system_are_found_below_ours(number, expected):
    nested = ends.HttpFailure(ends.CONNECT_FAILED, "one of several")
    assert expected == words(ends.CONNECT_FAILED, nested, system(number))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (socket.EAI_NONAME, "host or service not provided, or not known"),
        (socket.EAI_AGAIN, "temporary failure in name resolution"),
        (socket.EAI_FAMILY, "host not found"),
    ],
)
def test_errors_of_the_resolver(code, expected):
    assert expected == words(ends.HOST_LOOKUP_FAILED, socket.gaierror(code, "text"))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ends.HOST_LOOKUP_FAILED, "host or service not provided, or not known"),
        (ends.CONNECT_FAILED, "permission denied"),
        (ends.CONNECTION_LOST, "closed"),
        (ends.BAD_RESPONSE, "closed"),
        (ends.TIMED_OUT, "timeout"),
        (ends.ABORTED, "closed"),
    ],
)
def test_statuses_without_an_error_of_the_system(status, expected):
    assert expected == words(status)


def test_tls_error_without_a_reason():
    assert "tls error" == words(ends.CONNECT_FAILED, ssl.SSLError())


def test_body_that_broke_off():
    assert "closed" == response_words(
        Response(status=200, reason=b"OK", url=parse_url(b"http://x/"), is_complete=False)
    )
