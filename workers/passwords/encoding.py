"""Hex and base64 of stored password data, with Dovecot's tolerance, its guessing and its error texts.

`check` and `generate` use it, and schemes whose data has base64 fields.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from workers.passwords.verdict import UndecodableError

if TYPE_CHECKING:
    from workers.passwords.scheme import Scheme


class Encoding(Enum):
    """How data is written."""

    NONE = "none"
    HEX = "hex"
    BASE64 = "base64"


#: Suffix of a scheme's name, in lower case -> encoding.
SUFFIXES: Final = {b"b64": Encoding.BASE64, b"base64": Encoding.BASE64, b"hex": Encoding.HEX}

_WHITE_SPACE: Final = b" \t\r\n"

#: binascii's strict mode takes `AAAA=` before Python 3.13, so the form is checked here.
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

_LEADING_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]*")

_BAD_HEX: Final = "Input isn't valid HEX encoded data"
_BAD_BASE64: Final = "Input isn't valid base64 encoded data"


def decode(data: bytes, scheme: Scheme, explicit: Encoding | None) -> bytes:
    """Return the raw data of a stored password.

    Args:
        data: what stands behind the `{SCHEME}`.
        scheme: for its encoding and length.
        explicit: encoding of the name's suffix; None lets the length decide, as far as the scheme's length is fixed.

    Raises:
        UndecodableError: with Dovecot's text.
    """
    raw = _decode_as(data, explicit) if explicit is not None else _decode_guessed(data, scheme)
    if scheme.raw_length_bytes not in {0, len(raw)}:
        raise UndecodableError(f"Input length isn't valid ({len(raw)} instead of {scheme.raw_length_bytes})")
    return raw


def _decode_guessed(data: bytes, scheme: Scheme) -> bytes:
    if scheme.encoding is Encoding.NONE:
        return data
    if scheme.raw_length_bytes == 0:
        return _decode_as(data, scheme.encoding)
    if len(data) == 2 * scheme.raw_length_bytes:
        try:
            return decode_hex(data)
        except UndecodableError:
            # Base64 of another length may be as long as hex; Dovecot then tells about base64.
            pass
    return decode_base64(data)


def _decode_as(data: bytes, encoding: Encoding) -> bytes:
    if encoding is Encoding.HEX:
        return decode_hex(data)
    return data if encoding is Encoding.NONE else decode_base64(data)


def decode_hex(data: bytes) -> bytes:
    """Decode hex of either case, without any white space."""
    try:
        return binascii.unhexlify(data)
    except ValueError as exc:
        raise UndecodableError(_BAD_HEX) from exc


def decode_base64(data: bytes) -> bytes:
    """Decode base64 with exact padding; white space anywhere and unused trailing bits are fine."""
    packed = data.translate(None, _WHITE_SPACE)
    if not _BASE64.fullmatch(packed):
        raise UndecodableError(_BAD_BASE64)
    return base64.b64decode(packed)


def decode_base64_leniently(data: bytes) -> bytes:
    """Decode base64 up to the first character that is none; padding may be missing."""
    packed = data.translate(None, _WHITE_SPACE)
    match = _LEADING_BASE64.match(packed)
    digits = match.group() if match else b""
    # A single digit of the last group holds no whole byte.
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def encode(raw: bytes, encoding: Encoding) -> bytes:
    """Write raw data."""
    if encoding is Encoding.HEX:
        return binascii.hexlify(raw)
    return raw if encoding is Encoding.NONE else base64.b64encode(raw)
