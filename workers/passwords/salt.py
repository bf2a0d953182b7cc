"""Random salt in the alphabet of crypt(3). Whatever makes a hash uses it."""

from __future__ import annotations

import secrets
from typing import Final

#: 64 characters, so every random byte gives an unbiased one.
ALPHABET: Final = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_salt(length: int) -> bytes:
    """Return a salt of so many characters."""
    return bytes(ALPHABET[byte & 63] for byte in secrets.token_bytes(length))
