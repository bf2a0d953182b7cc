"""SCRAM-SHA-1 and SCRAM-SHA-256: `iterations,salt,StoredKey,ServerKey` (RFC 5802), without SASLprep, as in Dovecot."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Final

from workers.passwords.encoding import decode_base64, decode_base64_leniently
from workers.passwords.limits import MAX_PBKDF2_ROUNDS
from workers.passwords.number import parse_uint
from workers.passwords.scheme import Attempt, Generator, NewPassword, Verifier
from workers.passwords.verdict import CostError, MalformedError, UndecodableError

_FIELD_COUNT: Final = 4
_MIN_ITERATIONS: Final = 4096
_MAX_INT: Final = 2**31 - 1
_SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Variant:
    scheme: str
    #: hashlib's name of the hash.
    digest: str

    @property
    def size_bytes(self) -> int:
        return hashlib.new(self.digest).digest_size

    def keys(self, plain: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
        """Return StoredKey and ServerKey."""
        if iterations > MAX_PBKDF2_ROUNDS:
            raise CostError(f"iterations of {self.scheme}", MAX_PBKDF2_ROUNDS)
        salted = hashlib.pbkdf2_hmac(self.digest, plain, salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", self.digest)
        return hashlib.new(self.digest, client_key).digest(), hmac.digest(salted, b"Server Key", self.digest)


def scram_functions(scheme: str, digest: str) -> tuple[Verifier, Generator]:
    """Return the functions of one of the schemes."""
    variant = _Variant(scheme, digest)
    return partial(_verify, variant), partial(_generate, variant)


def _verify(variant: _Variant, attempt: Attempt) -> bool:
    """Compare StoredKey; ServerKey only has to be well-formed."""
    fields = attempt.text.split(b",")
    if len(fields) != _FIELD_COUNT:
        raise MalformedError(f"Invalid {variant.scheme} passdb entry format")
    iterations = parse_uint(fields[0], _MAX_INT)
    if iterations is None or iterations < _MIN_ITERATIONS:
        raise MalformedError(f"Invalid {variant.scheme} iteration count in passdb")
    stored_key = _key_field(fields[2], variant, "StoredKey")
    _key_field(fields[3], variant, "ServerKey")
    expected, _ = variant.keys(attempt.plain, decode_base64_leniently(fields[1]), iterations)
    return hmac.compare_digest(expected, stored_key)


def _key_field(text: bytes, variant: _Variant, name: str) -> bytes:
    try:
        key = decode_base64(text)
    except UndecodableError:
        key = b""
    if len(key) != variant.size_bytes:
        raise MalformedError(f"Invalid {variant.scheme} {name} in passdb")
    return key


def _generate(variant: _Variant, new: NewPassword) -> bytes:
    iterations, salt = max(new.rounds, _MIN_ITERATIONS), secrets.token_bytes(_SALT_BYTES)
    keys = variant.keys(new.plain, salt, iterations)
    return b",".join((b"%d" % iterations, *map(base64.b64encode, (salt, *keys))))
