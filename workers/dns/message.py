"""DNS messages: a query's bytes, and what an answer says about a name.

The only importer of dnspython, which reads the answers. Queries are written here: they are a fixed header and a name,
and one lookup sends two of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rdtypes.ANY.SOA

from dispatcher.protocol.errors import LualoftError

#: Record types that are asked for.
A: Final = int(dns.rdatatype.A)
AAAA: Final = int(dns.rdatatype.AAAA)

#: Rcodes that say something about the name.
NOERROR: Final = int(dns.rcode.NOERROR)
NXDOMAIN: Final = int(dns.rcode.NXDOMAIN)

_HEADER: Final = struct.Struct("!HHHHHH")
_QUESTION_END: Final = struct.Struct("!HH")
_CLASS_IN: Final = 1
_RECURSION_DESIRED: Final = 0x0100
_IS_RESPONSE: Final = 0x8000
_IS_TRUNCATED: Final = 0x0200
_RCODE_BITS: Final = 0x000F
_MAX_LABEL_BYTES: Final = 63
_MAX_NAME_BYTES: Final = 255


class AnswerError(LualoftError):
    """A message that is no answer to what was asked."""


def name_bytes(host: bytes) -> bytes | None:
    """Return a name, with or without a final dot, as it stands in a query; None: no query can hold it."""
    labels = host.removesuffix(b".").split(b".")
    if not all(0 < len(label) <= _MAX_LABEL_BYTES for label in labels):
        return None
    name = b"".join(len(label).to_bytes() + label for label in labels) + b"\0"
    return name if len(name) <= _MAX_NAME_BYTES else None


def question_bytes(name: bytes, kind: int) -> bytes:
    """Return the question for the records of a name."""
    return name + _QUESTION_END.pack(kind, _CLASS_IN)


def query_bytes(query_id: int, question: bytes) -> bytes:
    """Return a whole query."""
    return _HEADER.pack(query_id, _RECURSION_DESIRED, 1, 0, 0, 0) + question


def answered_id(data: bytes) -> int:
    """Return the id of a message; -1 if it is too short to be one."""
    return int.from_bytes(data[:2]) if len(data) >= _HEADER.size else -1


def is_answer(data: bytes, question: bytes) -> bool:
    """Is it an answer to this question? Whoever guesses the id must guess the question too.

    An error may come without the question: a server that cannot read a query cannot repeat it.
    """
    _, flags, question_count, *_ = _HEADER.unpack_from(data)
    if not flags & _IS_RESPONSE:
        return False
    if question_count == 0:
        return flags & _RCODE_BITS not in (NOERROR, NXDOMAIN)
    # Lower case of the whole: length bytes and types are below the letters.
    return data[_HEADER.size : _HEADER.size + len(question)].lower() == question.lower()


def is_truncated(data: bytes) -> bool:
    """Did the answer not fit into its datagram?"""
    return bool(_HEADER.unpack_from(data)[1] & _IS_TRUNCATED)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says about a name."""

    rcode: int
    #: In the order of the answer.
    addresses: tuple[str, ...]
    #: How long it holds, also for "no such name"; 0: it says nothing about that.
    ttl_s: int

    @property
    def is_final(self) -> bool:
        """Does it say something about the name, rather than about the server?"""
        return self.rcode in (NOERROR, NXDOMAIN)


def read_answer(data: bytes) -> Answer:
    """Read an answer, along its CNAME records.

    Raises:
        AnswerError: it is no DNS message, or its CNAME records lead nowhere.
    """
    try:
        message = dns.message.from_wire(data, ignore_trailing=True)
        rcode = int(message.rcode())
        if not message.question or rcode not in (NOERROR, NXDOMAIN):
            return Answer(rcode, (), 0)
        assert isinstance(message, dns.message.QueryMessage)  # noqa: S101 - for the type checker; opcode QUERY
        chain = message.resolve_chaining()
    except (dns.exception.DNSException, AssertionError, ValueError, struct.error) as exc:
        raise AnswerError(f"the server's answer makes no sense: {type(exc).__name__}") from exc
    if chain.answer is None:
        return Answer(rcode, (), _negative_ttl_s(message))
    return Answer(rcode, tuple(record.address for record in chain.answer), chain.minimum_ttl)


def _negative_ttl_s(message: dns.message.Message) -> int:
    """RFC 2308: the smaller of the SOA record's own TTL and its last field."""
    for records in message.authority:
        if records.rdtype == dns.rdatatype.SOA:
            soa = records[0]
            assert isinstance(soa, dns.rdtypes.ANY.SOA.SOA)  # noqa: S101 - for the type checker
            return min(records.ttl, soa.minimum)
    return 0
