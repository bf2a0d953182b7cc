"""OTP (RFC 2289), of 2.3 only: `algorithm sequence seed hex`, a chain of folded hashes counted down at each login."""

from __future__ import annotations

import hmac
import re
import secrets
import struct
from typing import Final

from workers.passwords.digest import DIGESTS
from workers.passwords.limits import MAX_OTP_SEQUENCE
from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import CostError, MalformedError

#: Dovecot's parser allows a tab here and there, and blanks between the hex digits; the comparison then fails.
_ENTRY: Final = re.compile(
    rb"(md4|md5|sha1)[ \t]([-+]?[0-9]+)[ \t]([0-9A-Za-z]{0,16}) [ \t]*(?:[0-9A-Fa-f][ \t]*){15}[0-9A-Fa-f].*", re.DOTALL
)

_INT_RANGE: Final = range(-(2**31), 2**31)
_MAX_NUMBER_CHARACTERS: Final = 32
_INVALID: Final = "Invalid OTP data in passdb"

_DEFAULT_SEQUENCE: Final = 1024
_SEED_BYTES: Final = 8


def verify(attempt: Attempt) -> bool:
    """Compute the entry anew and compare it as a whole, ignoring case."""
    match = _ENTRY.fullmatch(attempt.text)
    if match is None:
        raise MalformedError(_INVALID)
    algorithm, number, seed = match.groups()
    entry = _entry(algorithm, _sequence(number), seed.lower(), attempt.plain)
    return hmac.compare_digest(entry.lower(), attempt.text.lower())


def _sequence(number: bytes) -> int:
    if len(number) > _MAX_NUMBER_CHARACTERS or number.startswith(b"+") or int(number) not in _INT_RANGE:
        raise MalformedError(_INVALID)
    sequence = int(number)
    # Dovecot counts a negative one down through four thousand million hashes.
    if not 0 <= sequence <= MAX_OTP_SEQUENCE:
        raise CostError("sequence of OTP", MAX_OTP_SEQUENCE)
    return sequence


def generate(new: NewPassword) -> bytes:
    """Return an entry with SHA-1 and the sequence that Dovecot begins with."""
    return _entry(b"sha1", _DEFAULT_SEQUENCE, secrets.token_hex(_SEED_BYTES).encode(), new.plain)


def _entry(algorithm: bytes, sequence: int, seed: bytes, plain: bytes) -> bytes:
    name = algorithm.decode()
    digest = DIGESTS[name]
    state = _fold(name, digest(seed + plain))
    for _ in range(sequence):
        state = _fold(name, digest(state))
    return b"%s %d %s %s" % (algorithm, sequence, seed, state.hex().encode())


def _fold(name: str, digest: bytes) -> bytes:
    """Return 64 bits of a digest."""
    if name == "sha1":
        words = struct.unpack(">5I", digest)
        return struct.pack("<2I", words[0] ^ words[2] ^ words[4], words[1] ^ words[3])
    return bytes(left ^ right for left, right in zip(digest[:8], digest[8:], strict=True))
