"""DNS messages: our own reading of the usual answer against dnspython's, and bytes of every kind."""

import contextlib
import ipaddress

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.dns.message import (
    AAAA,
    A,
    Answer,
    AnswerError,
    answered_id,
    is_answer,
    name_bytes,
    query_bytes,
    question_bytes,
    read_answer,
)

NAME = name_bytes(b"host.example")
FAMILIES = {A: st.ip_addresses(v=4), AAAA: st.ip_addresses(v=6)}


def answer_of(kind, records):
    """The answer to the question, as dnspython writes it."""
    response = dns.message.make_response(dns.message.from_wire(query_bytes(1, question_bytes(NAME, kind))))
    word = "A" if kind == A else "AAAA"
    response.answer += [dns.rrset.from_text("host.example.", ttl_s, "IN", word, str(ip)) for ip, ttl_s in records]
    return response.to_wire()


@pytest.mark.parametrize("kind", [A, AAAA], ids=["A", "AAAA"])
@given(data=st.data())
def test_addresses_are_read_as_they_were_written(kind, data):
    records = data.draw(st.lists(st.tuples(FAMILIES[kind], st.integers(0, 2**31 - 1)), min_size=1, max_size=8))
    wire = answer_of(kind, records)
    ttl_s = min(ttl_s for _, ttl_s in records)
    expected = Answer(0, tuple(dict.fromkeys(str(ip) for ip, _ in records)), ttl_s)
    read = read_answer(wire, question_bytes(NAME, kind))
    assert (expected.rcode, expected.ttl_s) == (read.rcode, read.ttl_s)
    # glibc writes some IPv6 addresses with a dotted end, Python does not.
    assert [ipaddress.ip_address(ip) for ip in expected.addresses] == [
        ipaddress.ip_address(ip) for ip in read.addresses
    ]


def test_query_is_one_that_dnspython_reads():
    message = dns.message.from_wire(query_bytes(0xABCD, question_bytes(NAME, AAAA)))
    assert (0xABCD, "host.example. IN AAAA") == (message.id, message.question[0].to_text())


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_an_error_and_nothing_else(noise):
    question = question_bytes(NAME, A)
    header = b"\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    with contextlib.suppress(AnswerError):
        read_answer(header + question + noise, question)


@given(st.binary(max_size=40))
def test_any_bytes_can_be_looked_at(noise):
    if answered_id(noise) >= 0:
        is_answer(noise, question_bytes(NAME, A))


@pytest.mark.parametrize(("size", "expected"), [(0, -1), (11, -1), (12, 0x0102), (13, 0x0102)])
def test_message_shorter_than_a_header_has_no_id(size, expected):
    assert expected == answered_id((b"\x01\x02" + bytes(11))[:size])
