"""Schemes that are one digest of the password: SHA*, PLAIN-MD5, LDAP-MD5, PLAIN-MD4, their salted forms, DIGEST-MD5.

`schemes` makes its entries with `digest_functions` and `salted_functions`. MD5 and SHA-1 are what these schemes are
made of; nothing here chooses them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from workers.passwords.md4 import md4
from workers.passwords.scheme import Attempt, Generator, NewPassword, Verifier
from workers.passwords.verdict import MalformedError, SchemeError

#: Length of the salt that Dovecot makes, in bytes. Stored ones may have any.
_SALT_BYTES: Final = 4

Digest = Callable[[bytes], bytes]


def _of_hashlib(name: str) -> Digest:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).digest()


#: Name -> function. MD4 is our own: OpenSSL 3 has it in a module that is off by default.
DIGESTS: Final[dict[str, Digest]] = {
    "md4": md4,
    **{name: _of_hashlib(name) for name in ("md5", "sha1", "sha256", "sha512")},
}


def digest_functions(name: str) -> tuple[Verifier, Generator]:
    """Return the functions of a scheme that stores the digest of the password."""
    digest = DIGESTS[name]

    def verify(attempt: Attempt) -> bool:
        return hmac.compare_digest(digest(attempt.plain), attempt.data)

    return verify, lambda new: digest(new.plain)


def salted_functions(name: str, scheme: str) -> tuple[Verifier, Generator]:
    """Return the functions of a scheme that stores digest(password + salt) + salt."""
    digest = DIGESTS[name]
    return partial(_verify_salted, digest, scheme), partial(_generate_salted, digest)


def _verify_salted(digest: Digest, scheme: str, attempt: Attempt) -> bool:
    size = len(digest(b""))
    if len(attempt.data) <= size:
        raise MalformedError(f"{scheme} password is too short")
    stored, salt = attempt.data[:size], attempt.data[size:]
    return hmac.compare_digest(digest(attempt.plain + salt), stored)


def _generate_salted(digest: Digest, new: NewPassword) -> bytes:
    salt = secrets.token_bytes(_SALT_BYTES)
    return digest(new.plain + salt) + salt


def verify_digest_md5(attempt: Attempt) -> bool:
    """Check MD5(user:realm:password)."""
    return hmac.compare_digest(_digest_md5(attempt.username, attempt.plain), attempt.data)


def generate_digest_md5(new: NewPassword) -> bytes:
    """Return MD5(user:realm:password)."""
    if not new.username:
        raise SchemeError("DIGEST-MD5 hashes the user name too; none was given")
    return _digest_md5(new.username, new.plain)


def _digest_md5(username: bytes, plain: bytes) -> bytes:
    # Split at the last @, so that the user part may be an address itself.
    user, at, realm = username.rpartition(b"@")
    name = user if at else username
    return DIGESTS["md5"](b":".join((name, realm if at else b"", plain)))
