"""BLF-CRYPT: bcrypt, with the checks that Dovecot makes of the string before it hashes.

`crypt` sends its `$2?$` strings here. libcrypt's bcrypt knows all four variants to the letter; Python's bcrypt package
takes `$2x$` and `$2a$` for `$2b$`, and raises for passwords of more than 72 bytes.
"""

from __future__ import annotations

import hmac
import re
from typing import Final

from workers.passwords import libcrypt
from workers.passwords.limits import MAX_BCRYPT_COST
from workers.passwords.salt import new_salt
from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import CostError, MalformedError, SchemeError

#: bcrypt looks at so many bytes of a password and silently ignores the rest. Never hash first to get around it.
_MAX_PLAIN_BYTES: Final = 72

#: `$2y$10$` and 22 characters of salt.
_SETTING_BYTES: Final = 29
_SALT_CHARACTERS: Final = 22
_MIN_DATA_BYTES: Final = 30

_LOOKS_LIKE: Final = re.compile(rb"\$2[a-z]\$")
_SETTING: Final = re.compile(rb"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./0-9A-Za-z]{22}")

_MIN_COST: Final = 4
_DEFAULT_COST: Final = 5


def verify(attempt: Attempt) -> bool:
    """Compare the whole string; an empty one matches nothing."""
    if not attempt.data:
        return False
    if len(attempt.data) < _MIN_DATA_BYTES or not _LOOKS_LIKE.match(attempt.data):
        raise MalformedError("Password is not blowfish password")
    match = _SETTING.match(attempt.text)
    if match is None:
        raise MalformedError("crypt_blowfish_rn failed: Invalid argument")
    check_cost(int(match[1]))
    hashed = _hash(attempt.plain, attempt.text[:_SETTING_BYTES])
    return hashed is not None and hmac.compare_digest(hashed, attempt.text)


def generate(new: NewPassword) -> bytes:
    """Return `$2y$cost$...`."""
    cost = max(new.rounds, _MIN_COST) if new.rounds else _DEFAULT_COST
    check_cost(cost)
    hashed = _hash(new.plain, b"$2y$%02d$%s" % (cost, new_salt(_SALT_CHARACTERS)))
    if hashed is None:
        raise SchemeError("the system's libcrypt has no bcrypt")
    return hashed


def check_cost(cost: int) -> None:
    """Refuse a cost over the limit."""
    if cost > MAX_BCRYPT_COST:
        raise CostError("the cost of bcrypt", MAX_BCRYPT_COST)


def _hash(plain: bytes, setting: bytes) -> bytes | None:
    return libcrypt.crypt(plain[:_MAX_PLAIN_BYTES], setting)
