"""CRYPT, DES-CRYPT, SHA256-CRYPT and SHA512-CRYPT: one check for whatever string crypt(3) knows.

The name of the scheme does not restrict the string, as in Dovecot: `{SHA512-CRYPT}$5$...` is checked as what it is.
"""

from __future__ import annotations

import hmac
from functools import partial
from typing import Final

from workers.passwords import bcrypt, libcrypt
from workers.passwords.crypt_cost import check_cost
from workers.passwords.memory_budget import BUDGET
from workers.passwords.salt import new_salt
from workers.passwords.scheme import Attempt, Generator, NewPassword
from workers.passwords.verdict import SchemeError, WeakRefusedError

_DES_SALT_CHARACTERS: Final = 2
_SHA_SALT_CHARACTERS: Final = 16
_SHA_DEFAULT_ROUNDS: Final = 5000
_SHA_MIN_ROUNDS: Final = 1000

#: Shortest string that can be a bcrypt one is longer than this.
_BCRYPT_PREFIX_BYTES: Final = 4


def verify(attempt: Attempt) -> bool:
    """Hash with the stored string as setting and compare; a string that crypt(3) does not know matches nothing."""
    data = attempt.data
    if len(data) > _BCRYPT_PREFIX_BYTES and data.startswith(b"$2") and data[3:4] == b"$":
        return bcrypt.verify(attempt)
    if not data:
        return False
    if not attempt.is_weak_allowed and len(data) > 1:
        _refuse_weak(data)
    hashed = _hash(attempt.plain, attempt.text)
    return hashed is not None and hmac.compare_digest(hashed, attempt.text)


def _refuse_weak(data: bytes) -> None:
    """Refuse what 2.4 holds for DES or MD5: everything without a `$` is DES to it, a disabled account's `!!` too."""
    if not data.startswith(b"$"):
        raise WeakRefusedError("Weak password scheme 'DES-CRYPT' used and refused")
    if data.startswith(b"$1"):
        raise WeakRefusedError("Weak password scheme 'MD5-CRYPT' used and refused")


def generate_des(new: NewPassword) -> bytes:
    """Return 13 characters."""
    return _made(new.plain, new_salt(_DES_SALT_CHARACTERS))


def sha_generator(prefix: bytes) -> Generator:
    """Return the generator for `$5$` or `$6$`."""
    return partial(_generate_sha, prefix)


def _generate_sha(prefix: bytes, new: NewPassword) -> bytes:
    rounds = max(new.rounds, _SHA_MIN_ROUNDS) if new.rounds else _SHA_DEFAULT_ROUNDS
    stated = b"" if rounds == _SHA_DEFAULT_ROUNDS else b"rounds=%d$" % rounds
    return _made(new.plain, prefix + stated + new_salt(_SHA_SALT_CHARACTERS))


def _made(plain: bytes, setting: bytes) -> bytes:
    hashed = _hash(plain, setting)
    if hashed is None:
        raise SchemeError("crypt(3) refuses the password; it takes 511 bytes at most")
    return hashed


def _hash(plain: bytes, setting: bytes) -> bytes | None:
    memory_kib = check_cost(setting)
    with BUDGET.reserve(memory_kib):
        return libcrypt.crypt(plain, setting)
