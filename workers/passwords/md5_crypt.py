"""MD5-CRYPT (`$1$salt$hash`) and MD5, which takes that or a PLAIN-MD5 digest.

Dovecot has its own MD5-CRYPT, which takes salts and password lengths that libcrypt refuses, so ours does as well.
Ordinary ones go to libcrypt, which is six times as fast and does not hold the interpreter.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from workers.passwords import libcrypt
from workers.passwords.encoding import decode_base64, decode_hex
from workers.passwords.limits import MAX_MD5_CRYPT_PLAIN_BYTES
from workers.passwords.salt import ALPHABET, new_salt
from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import CostError, MalformedError, UndecodableError

_MAGIC: Final = b"$1$"
_MAX_SALT_BYTES: Final = 8
_DIGEST_BYTES: Final = 16
_ROUNDS: Final = 1000

#: What libcrypt computes exactly as Dovecot does.
_ORDINARY_SALT: Final = re.compile(rb"[./0-9A-Za-z]{1,8}")
_MAX_LIBCRYPT_PLAIN_BYTES: Final = 511

#: Which bytes of the digest go together into four characters.
_GROUPS: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_LAST_BYTE: Final = 11


def verify(attempt: Attempt) -> bool:
    """Compare the whole string."""
    salt = attempt.text.removeprefix(_MAGIC).partition(b"$")[0][:_MAX_SALT_BYTES]
    return hmac.compare_digest(md5_crypt(attempt.plain, salt), attempt.text)


def verify_any_md5(attempt: Attempt) -> bool:
    """Check against MD5-CRYPT or PLAIN-MD5, in hex or base64."""
    if attempt.text.startswith(_MAGIC):
        return verify(attempt)
    try:
        digest = decode_hex(attempt.text) if len(attempt.text) == 2 * _DIGEST_BYTES else decode_base64(attempt.text)
    except UndecodableError:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise MalformedError("Not a valid MD5-CRYPT or PLAIN-MD5 password")
    return hmac.compare_digest(_md5(attempt.plain), digest)


def generate(new: NewPassword) -> bytes:
    """Return `$1$salt$hash`."""
    return md5_crypt(new.plain, new_salt(_MAX_SALT_BYTES))


def md5_crypt(plain: bytes, salt: bytes) -> bytes:
    """Return the MD5-CRYPT string for up to 8 bytes of salt."""
    if len(plain) > MAX_MD5_CRYPT_PLAIN_BYTES:
        raise CostError("the length of the password for MD5-CRYPT", MAX_MD5_CRYPT_PLAIN_BYTES)
    if len(plain) <= _MAX_LIBCRYPT_PLAIN_BYTES and _ORDINARY_SALT.fullmatch(salt) and "md5" in libcrypt.methods():
        hashed = libcrypt.crypt(plain, _MAGIC + salt)
        if hashed is not None:
            return hashed
    return own_md5_crypt(plain, salt)


def own_md5_crypt(plain: bytes, salt: bytes) -> bytes:
    """Compute it here, whatever the salt and the length."""
    digest = _md5(_first_input(plain, salt))
    for step in range(_ROUNDS):
        parts = (
            plain if step % 2 else digest,
            salt if step % 3 else b"",
            plain if step % 7 else b"",
            digest if step % 2 else plain,
        )
        digest = _md5(b"".join(parts))
    return b"%s%s$%s" % (_MAGIC, salt, _characters(digest))


def _first_input(plain: bytes, salt: bytes) -> bytes:
    inner = _md5(plain + salt + plain)
    stretched = (inner * (len(plain) // _DIGEST_BYTES + 1))[: len(plain)]
    # One byte for each bit of the length, lowest first: a NUL for a set bit, else the password's first byte.
    bits = reversed(f"{len(plain):b}") if plain else ()
    return plain + _MAGIC + salt + stretched + b"".join(b"\0" if bit == "1" else plain[:1] for bit in bits)


def _characters(digest: bytes) -> bytes:
    numbers = [(digest[first] << 16 | digest[second] << 8 | digest[third], 4) for first, second, third in _GROUPS]
    numbers.append((digest[_LAST_BYTE], 2))
    return bytes(ALPHABET[number >> 6 * place & 63] for number, count in numbers for place in range(count))


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
