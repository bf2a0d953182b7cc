"""PBKDF2: `$1$salt$rounds$hex` with HMAC-SHA-1 and a key of 20 bytes."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from workers.passwords.encoding import decode_hex
from workers.passwords.limits import MAX_PBKDF2_ROUNDS
from workers.passwords.number import parse_uint
from workers.passwords.salt import new_salt
from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import CostError, MalformedError, UndecodableError

_PREFIX: Final = b"$1$"
_KEY_BYTES: Final = 20
_FIELD_COUNT: Final = 3
_MAX_UINT: Final = 2**32 - 1
_DEFAULT_ROUNDS: Final = 5000
_SALT_CHARACTERS: Final = 16


def verify(attempt: Attempt) -> bool:
    """Compare the key. The salt is the text between the dollars as it stands."""
    if not attempt.data.startswith(_PREFIX):
        raise MalformedError("Invalid PBKDF2 passdb entry prefix")
    fields = attempt.text.removeprefix(_PREFIX).split(b"$")
    rounds = parse_uint(fields[1], _MAX_UINT) if len(fields) == _FIELD_COUNT else None
    if rounds is None:
        raise MalformedError("Invalid PBKDF2 passdb entry format")
    return hmac.compare_digest(_key(attempt.plain, fields[0], rounds), _decoded(fields[2]))


def _decoded(text: bytes) -> bytes:
    try:
        key = decode_hex(text)
    except UndecodableError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise MalformedError("PBKDF2 hash not 160bit hex-encoded")
    return key


def generate(new: NewPassword) -> bytes:
    """Return `$1$salt$rounds$hex`."""
    salt, rounds = new_salt(_SALT_CHARACTERS), new.rounds or _DEFAULT_ROUNDS
    return b"%s%s$%d$%s" % (_PREFIX, salt, rounds, _key(new.plain, salt, rounds).hex().encode())


def _key(plain: bytes, salt: bytes, rounds: int) -> bytes:
    if rounds > MAX_PBKDF2_ROUNDS:
        raise CostError("rounds of PBKDF2", MAX_PBKDF2_ROUNDS)
    # Mirrors Dovecot: without a round the key stays zero, and a stored zero key matches any password. Nobody's
    # generator writes that; whoever can write it into the database could write {PLAIN} just as well.
    return hashlib.pbkdf2_hmac("sha1", plain, salt, rounds) if rounds else bytes(_KEY_BYTES)
