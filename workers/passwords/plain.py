"""PLAIN, CLEAR, CLEARTEXT and PLAIN-TRUNC: the password itself, perhaps cut by a database column."""

from __future__ import annotations

import hmac
import re
from typing import Final

from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import MalformedError

_TRUNCATED: Final = re.compile(rb"([0-9]*)-(.*)", re.DOTALL)

#: Dovecot counts in 64 bits and lets them overflow. 10^64 is a multiple of 2^64, so digits before the last 64 do not
#: show.
_COUNTER_RANGE: Final = 2**64
_COUNTER_DIGITS: Final = 64


def verify_plain(attempt: Attempt) -> bool:
    """Compare every byte, NULs of decoded data too."""
    return hmac.compare_digest(attempt.data, attempt.plain)


def generate_plain(new: NewPassword) -> bytes:
    """Return the password."""
    return new.plain


def verify_truncated(attempt: Attempt) -> bool:
    """Check against `N-PASSWORD`: if it has N bytes, it may have been cut there, and only they are compared.

    `0-` therefore matches every password, as in Dovecot.
    """
    match = _TRUNCATED.fullmatch(attempt.data)
    if match is None:
        raise MalformedError("PLAIN-TRUNC missing length: prefix")
    digits, kept = match.groups()
    length = int(digits[-_COUNTER_DIGITS:] or b"0") % _COUNTER_RANGE
    plain = attempt.plain[:length] if len(kept) == length else attempt.plain
    return hmac.compare_digest(kept, plain)


def generate_truncated(new: NewPassword) -> bytes:
    """Return `N-PASSWORD` that only the whole password matches: N is one more than its length.

    Dovecot's own generator leaves the length out, and its output never matches.
    """
    return b"%d-%s" % (len(new.plain) + 1, new.plain)
