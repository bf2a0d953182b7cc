"""Reads decimal numbers of stored hashes as Dovecot's `str_to_uint` does. Every scheme with a counter uses it."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = re.compile(rb"[0-9]+")

#: Digits after the leading zeros that are looked at: int() of thousands of digits takes long or raises.
_MAX_DIGITS: Final = 20


def parse_uint(text: bytes, maximum: int) -> int | None:
    """Return a number from 0 to `maximum`; None for anything but ASCII digits. Leading zeros are fine."""
    if not _DIGITS.fullmatch(text):
        return None
    significant = text.lstrip(b"0") or b"0"
    if len(significant) > _MAX_DIGITS:
        return None
    number = int(significant)
    return number if number <= maximum else None
