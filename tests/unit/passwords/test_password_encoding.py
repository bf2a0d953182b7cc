import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.passwords.encoding import (
    Encoding,
    decode,
    decode_base64,
    decode_base64_leniently,
    decode_hex,
    encode,
)
from workers.passwords.number import parse_uint
from workers.passwords.policy import Dialect
from workers.passwords.schemes import find_scheme
from workers.passwords.verdict import UndecodableError


@given(st.binary(), st.sampled_from([Encoding.HEX, Encoding.BASE64]))
def test_explicit_encoding_reads_what_it_wrote(raw, encoding):
    plain = find_scheme(b"PLAIN", Dialect.EITHER).scheme
    assert raw == decode(encode(raw, encoding), plain, encoding)


@given(st.binary(min_size=16, max_size=16), st.sampled_from([Encoding.HEX, Encoding.BASE64]))
def test_length_tells_the_encoding(raw, encoding):
    for name in (b"PLAIN-MD5", b"LDAP-MD5"):
        assert raw == decode(encode(raw, encoding), find_scheme(name, Dialect.EITHER).scheme, None)


@given(st.binary(), st.text(" \t\r\n", max_size=3), st.integers(0, 50))
def test_white_space_may_stand_anywhere_in_base64(raw, space, place):
    text = base64.b64encode(raw)
    assert raw == decode_base64(text[:place] + space.encode() + text[place:])


@pytest.mark.parametrize("text", [b"AAAA=", b"AA=", b"A===", b"====", b"AA", b"AA-_", b"AAA=AAAA", b"AAA\x0b", b"\xff"])
def test_bad_base64_is_refused(text):
    with pytest.raises(UndecodableError, match="Input isn't valid base64 encoded data"):
        decode_base64(text)


def test_unused_bits_of_base64_are_ignored():
    assert b"a" == decode_base64(b"YR==")


@pytest.mark.parametrize("text", [b"6", b"61 ", b"6 1", b"6g", b"0x"])
def test_bad_hex_is_refused(text):
    with pytest.raises(UndecodableError, match="Input isn't valid HEX encoded data"):
        decode_hex(text)


@given(st.binary(), st.sampled_from([b"", b"!junk", b"="]))
def test_lenient_base64_needs_no_padding_and_stops_at_junk(raw, junk):
    assert raw == decode_base64_leniently(base64.b64encode(raw).rstrip(b"=") + junk)


def test_lenient_base64_drops_half_a_byte():
    assert b"abc" == decode_base64_leniently(b"YWJjZ")


@pytest.mark.parametrize(
    ("text", "maximum", "expected"),
    [
        (b"0", 10, 0),
        (b"10", 10, 10),
        (b"11", 10, None),
        (b"0010", 10, 10),
        (b"", 10, None),
        (b"+1", 10, None),
        (b" 1", 10, None),
        (b"1\n", 10, None),
        ("\u0661".encode(), 10, None),
        (b"9" * 5000, 10, None),
        (b"0" * 5000 + b"7", 10, 7),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_number_is_read_as_c_does(text, maximum, expected):
    assert expected == parse_uint(text, maximum)
