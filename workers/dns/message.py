"""DNS messages: a query's bytes, and what an answer says about a name.

The only importer of dnspython, which reads all answers but the usual one. Queries are written here: they are a fixed
header and a name, and one lookup sends two of them.
"""

from __future__ import annotations

import socket
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
#: Name (a pointer), type, class, TTL, length of what follows.
_RECORD: Final = struct.Struct("!HHHIH")
_POINTER_TO_QUESTION: Final = 0xC000 | _HEADER.size
_CLASS_IN: Final = 1
_IPV4_BYTES: Final = 4
_IPV6_BYTES: Final = 16
#: RFC 2181, 8: the highest bit is not used.
_MAX_TTL_S: Final = 2**31 - 1
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


def read_answer(data: bytes, question: bytes) -> Answer:
    """Read an answer to the question (`is_answer` has said so), along its CNAME records.

    Raises:
        AnswerError: it is no DNS message, or its CNAME records lead nowhere.
    """
    return _read_plain(data, question) or _read_any(data)


def _read_plain(data: bytes, question: bytes) -> Answer | None:
    """Read the usual answer, which holds only addresses of the name itself; None: it is another one.

    Half of a lookup's time would be spent in dnspython otherwise.
    """
    _, flags, question_count, answer_count, authority_count, _ = _HEADER.unpack_from(data)
    if flags & _RCODE_BITS != NOERROR or question_count != 1:
        return None
    if answer_count == 0:
        return Answer(NOERROR, (), 0) if authority_count == 0 else None
    kind = int.from_bytes(question[-4:-2])
    family, size_bytes = (socket.AF_INET, _IPV4_BYTES) if kind == A else (socket.AF_INET6, _IPV6_BYTES)
    expected = (_POINTER_TO_QUESTION, kind, _CLASS_IN, size_bytes)
    offset = _HEADER.size + len(question)
    if offset + answer_count * (_RECORD.size + size_bytes) > len(data):
        return None
    addresses: list[str] = []
    ttl_s = _MAX_TTL_S
    for _ in range(answer_count):
        *found, record_ttl_s, record_bytes = _RECORD.unpack_from(data, offset)
        if (*found, record_bytes) != expected or record_ttl_s > _MAX_TTL_S:
            return None
        start = offset + _RECORD.size
        offset = start + size_bytes
        addresses.append(socket.inet_ntop(family, data[start:offset]))
        ttl_s = min(ttl_s, record_ttl_s)
    return Answer(NOERROR, tuple(dict.fromkeys(addresses)), ttl_s)


def _read_any(data: bytes) -> Answer:
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
