"""64-bit numbers as Dovecot reads them from text: digits alone, no blanks, no plus sign."""

from __future__ import annotations

import re

MAX_INTEGER = (1 << 63) - 1
MIN_INTEGER = -(1 << 63)
MAX_UNSIGNED = (1 << 64) - 1

#: At most 20 digits after the leading zeros: Python refuses to convert very long numbers.
_INTEGER = re.compile(rb"(-?)(?=[0-9])0*([0-9]{0,20})")


def parse_integer(text: bytes) -> int | None:
    """A signed 64-bit number, or None."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    number = int(found[1] + (found[2] or b"0"))
    return number if MIN_INTEGER <= number <= MAX_INTEGER else None


def parse_unsigned(text: bytes) -> int | None:
    """An unsigned 64-bit number, or None."""
    found = _INTEGER.fullmatch(text)
    if found is None or found[1]:
        return None
    number = int(found[2] or b"0")
    return number if number <= MAX_UNSIGNED else None


def wrap(number: int) -> int:
    """The signed 64-bit number that is left when a calculation overflows."""
    return (number - MIN_INTEGER) % (1 << 64) + MIN_INTEGER
