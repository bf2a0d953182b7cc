"""The modifiers of dialect 2.3 between the percent sign and the variable: `%Lu`, `%2.256Nu`, `%-3.2u`.

Called by legacy.py. A substring is always taken after the modifiers.

Mirrors: Dovecot 2.3.19 (documented under "Config variables"), compared with its library.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from workers.api.var_expand.integer import parse_unsigned
from workers.api.var_expand.limit import check_size

#: `-`, `0`, number; behind a point again `0`, `-`, number; then at most ten modifiers.
FIELD = re.compile(rb"(-?)(0?)([0-9]*)(?:(\.)(0?)(-?)([0-9]*))?([LUEXRHNMDT]{0,10})")

_MAX_NUMBER = (1 << 31) - 1
_WORD_MASK = (1 << 32) - 1
_LONG_MASK = (1 << 64) - 1
_TOP_BITS = 0xF0000000
_QUOTED = re.compile(rb"([\"'\\])")
_BLANKS = b" \t\n\v\f\r"


@dataclass(slots=True)
class Field:
    """What stands before the variable. The hash modifiers use up width and offset, so it is changed on the way."""

    offset: int
    width: int
    is_zero_padded: bool
    modifiers: bytes

    def apply(self, value: bytes) -> bytes:
        """Run the modifiers and take the substring."""
        for modifier in self.modifiers:
            value = _MODIFIERS[modifier](value, self)
        check_size(len(value))
        return self._part(value)

    def _part(self, value: bytes) -> bytes:
        value = value[self.offset :] if self.offset >= 0 or len(value) > -self.offset else value
        if self.width == 0:
            return value
        if self.is_zero_padded:
            check_size(self.width)
            return value.rjust(self.width, b"0")
        width = self.width if self.width > 0 else len(value) + self.width
        # A negative width that is larger than the value takes all of it.
        return value[:width] if width >= 0 else value


def parse_field(found: re.Match[bytes]) -> Field:
    """The field of a match of FIELD. A sign counts before an offset, and behind the point, but not before a width."""
    sign, zero, first, point, second_zero, second_sign, second, modifiers = found.groups()
    if not point:
        return Field(0, _number(first), bool(zero), modifiers)
    offset = -_number(first) if sign else _number(first)
    width = -_number(second) if second_sign else _number(second)
    return Field(offset, width, bool(second_zero), modifiers)


def _number(digits: bytes) -> int:
    return min(parse_unsigned(digits) or 0, _MAX_NUMBER) if len(digits) <= len(str(_MAX_NUMBER)) else _MAX_NUMBER


def _hexadecimal(value: bytes, _: Field) -> bytes:
    return b"%x" % (parse_unsigned(value) or 0)


def _old_hash(value: bytes, field: Field) -> bytes:
    # The hash function of P. J. Weinberger, on 32 bits.
    number = 0
    for byte in value:
        number = ((number << 4) + byte) & _WORD_MASK
        top = number & _TOP_BITS
        number ^= (top >> 24) ^ top
    return _limited(number, _WORD_MASK, field)


def _new_hash(value: bytes, field: Field) -> bytes:
    digest = hashlib.md5(value, usedforsecurity=False).digest()
    return _limited(int.from_bytes(digest[:8], "big"), _LONG_MASK, field)


def _limited(number: int, mask: int, field: Field) -> bytes:
    """Width is a modulus here, and offset the number of digits."""
    if field.width:
        number %= field.width & mask
    digits = b"%x" % (number & _WORD_MASK)
    check_size(field.offset)
    digits = digits.rjust(field.offset, b"0")
    field.width = field.offset = 0
    return digits


def _md5(value: bytes, _: Field) -> bytes:
    return hashlib.md5(value, usedforsecurity=False).hexdigest().encode()


_MODIFIERS: dict[int, Callable[[bytes, Field], bytes]] = {
    ord("L"): lambda value, _: value.lower(),
    ord("U"): lambda value, _: value.upper(),
    ord("E"): lambda value, _: _QUOTED.sub(rb"\\\1", value),
    ord("X"): _hexadecimal,
    ord("R"): lambda value, _: value[::-1],
    ord("H"): _old_hash,
    ord("N"): _new_hash,
    ord("M"): _md5,
    ord("D"): lambda value, _: value.replace(b".", b",dc="),
    ord("T"): lambda value, _: value.rstrip(_BLANKS),
}
