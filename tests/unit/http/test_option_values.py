"""Value syntaxes of Dovecot 2.4's settings; texts and limits from the reference, §4.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.http.option_values import (
    ValueSyntaxError,
    parse_bool,
    parse_size_bytes,
    parse_time_ms,
    parse_time_s,
    parse_uint,
)

UINT_MAX = 4294967295
PARSERS = (parse_bool, parse_uint, parse_time_ms, parse_time_s, parse_size_bytes)


@pytest.mark.parametrize("text", ["yes", "YES", "Yes", "y", "Y", "1"])
def test_yes(text):
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["no", "NO", "nO"])
def test_no(text):
    assert parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "true", "false", "0", "n", "on", "2", " yes", "yes ", "\u212aes"])
def test_anything_else_is_no_boolean(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_bool(text)
    assert f"Invalid boolean value: {text} (use yes or no)" == caught.value.detail


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1", 1),
        ("00012", 12),
        ("4294967294", UINT_MAX - 1),
        ("4294967295", UINT_MAX),
        ("unlimited", UINT_MAX),
    ],
)
def test_number(text, number):
    assert number == parse_uint(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Not a valid number"),
        ("three", "Not a valid number"),
        ("2.0", "Not a valid number"),
        ("1e3", "Not a valid number"),
        ("0x10", "Not a valid number"),
        ("+1", "Not a valid number"),
        (" 1", "Not a valid number"),
        ("1 ", "Not a valid number"),
        ("-", "Not a valid number"),
        ("-x", "Not a valid number"),
        ("Unlimited", "Not a valid number"),
        ("\u0663", "Not a valid number"),
        ("-1", "Number too small"),
        ("-0", "Number too small"),
        ("4294967296", "Number too large"),
        ("9" * 5000, "Number too large"),
    ],
    ids=lambda text: text[:20],
)
def test_no_number(text, problem):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_uint(text)
    assert f"Invalid number {text}: {problem}" == caught.value.detail


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0", 0),
        ("000", 0),
        ("0s", 0),
        ("1s", 1000),
        ("1 s", 1000),
        ("1   secs", 1000),
        ("1sec", 1000),
        ("1seconds", 1000),
        ("1m", 60_000),
        ("1M", 60_000),
        ("1min", 60_000),
        ("1minutes", 60_000),
        ("1ms", 1),
        ("1msec", 1),
        ("1mseconds", 1),
        ("1mil", 1),
        ("1millisecs", 1),
        ("1milliseconds", 1),
        ("1h", 3_600_000),
        ("1hours", 3_600_000),
        ("1d", 86_400_000),
        ("1days", 86_400_000),
        ("1w", 604_800_000),
        ("1weeks", 604_800_000),
        ("4294967295ms", UINT_MAX),
        ("4294967s", 4_294_967_000),
        ("infinite", UINT_MAX),
        ("unlimited", UINT_MAX),
    ],
)
def test_time(text, milliseconds):
    assert milliseconds == parse_time_ms(text)


@pytest.mark.parametrize(
    "text", ["5x", "s", "", "-5s", "5 s ", "1.5s", "5secss", "5mx", "5weekss", "infinit", "9" * 30 + "s"]
)
def test_no_time(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_time_ms(text)
    assert f"Invalid time interval: {text}" == caught.value.detail


@pytest.mark.parametrize("text", ["5", "1", "5 "])
def test_time_without_its_unit(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_time_ms(text)
    assert f"Time interval '{text}' is missing units (add e.g. 's' for seconds)" == caught.value.detail


@pytest.mark.parametrize("text", ["4294967296ms", "4294968s", "8w", "18446744073709551615w"])
def test_time_that_is_too_long(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_time_ms(text)
    assert f"Time interval is too large: {text}" == caught.value.detail


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("2s", 2), ("2000ms", 2), ("1m", 60), ("infinite", UINT_MAX)])
def test_whole_seconds(text, seconds):
    assert seconds == parse_time_s(text)


@pytest.mark.parametrize("text", ["1ms", "999ms", "1500ms"])
def test_seconds_setting_takes_no_milliseconds(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_time_s(text)
    assert f"Milliseconds not supported for this setting: {text}" == caught.value.detail


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("1", 1),
        ("1b", 1),
        ("1B", 1),
        ("1k", 1024),
        ("1 K", 1024),
        ("1ki", 1024),
        ("1kib", 1024),
        ("1kb", 1024),
        ("1M", 1024**2),
        ("1g", 1024**3),
        ("1TiB", 1024**4),
        ("18446744073709551615", 2**64 - 1),
        ("unlimited", 2**64 - 1),
    ],
)
def test_size(text, size_bytes):
    assert size_bytes == parse_size_bytes(text)


@pytest.mark.parametrize(
    "text", ["", "zz", "k", "3x", "3bb", "3bi", "3ik", "-1", "1.5k", "3 k ", "1p", "18446744073709551616"]
)
def test_no_size(text):
    with pytest.raises(ValueSyntaxError) as caught:
        parse_size_bytes(text)
    assert f"Invalid size: {text}" == caught.value.detail


def test_size_that_is_too_large():
    with pytest.raises(ValueSyntaxError) as caught:
        parse_size_bytes("18446744073709551615k")
    assert caught.value.detail == "Size is too large: 18446744073709551615k"


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=st.one_of(st.text(max_size=20), st.from_regex(r"\A[0-9]{0,25} ?[a-zA-Z]{0,12}\Z")))
def test_whatever_is_given_is_read_or_refused(parse, text):
    detail = ""
    try:
        value = parse(text)
    except ValueSyntaxError as exc:
        value, detail = 0, exc.detail
    assert value >= 0
    assert not detail or text in detail
