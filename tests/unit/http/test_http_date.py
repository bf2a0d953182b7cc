"""Dates of HTTP: the three forms of RFC 9110, and garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.http.http_date import http_date, parse_http_date

#: RFC 9110 5.6.7 writes this time in three forms.
EXAMPLE_UNIX_S = 784111777


def test_date_is_written_as_imf_fixdate():
    assert b"Sun, 06 Nov 1994 08:49:37 GMT" == http_date(EXAMPLE_UNIX_S)


@pytest.mark.parametrize(
    "text", [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"]
)
def test_three_forms_are_read(text):
    assert EXAMPLE_UNIX_S == parse_http_date(text)


@pytest.mark.parametrize("text", [b"", b"x", b"12", b"Sun, 99 Nov 1994 08:49:37 GMT"])
def test_garbage_is_no_date(text):
    assert parse_http_date(text) is None


@given(st.integers(min_value=0, max_value=2**33))
def test_what_is_written_is_read(unix_s):
    assert unix_s == parse_http_date(http_date(unix_s))


@given(st.one_of(st.binary(max_size=60), st.text("SunNov 0123456789:-,GMT+", max_size=40).map(str.encode)))
def test_nothing_makes_the_parser_fail(text):
    result = parse_http_date(text)
    assert result is None or isinstance(result, int)
