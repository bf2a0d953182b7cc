"""CRAM-MD5 and HMAC-MD5: the two inner states of an HMAC-MD5 after its key, from which any challenge can be answered.

Not an HMAC value. hashlib does not give its states out, so one block of MD5 (RFC 1321) is computed here.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from typing import Final

from workers.passwords.scheme import Attempt, NewPassword

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_CONSTANTS: Final = tuple(int(abs(math.sin(step + 1)) * 2**32) for step in range(64))
_ROTATIONS: Final = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))

#: HMAC's two pads: the key xor each is one block.
_OUTER: Final = 0x5C
_INNER: Final = 0x36
_BLOCK_BYTES: Final = 64


def verify(attempt: Attempt) -> bool:
    """Compare the states."""
    return hmac.compare_digest(_states(attempt.plain), attempt.data)


def generate(new: NewPassword) -> bytes:
    """Return the states, outer first."""
    return _states(new.plain)


def _states(plain: bytes) -> bytes:
    key = plain if len(plain) <= _BLOCK_BYTES else hashlib.md5(plain, usedforsecurity=False).digest()
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    return b"".join(md5_state(bytes(byte ^ pad for byte in padded)) for pad in (_OUTER, _INNER))


def md5_state(block: bytes) -> bytes:
    """Return MD5's state after one block of 64 bytes."""
    words = struct.unpack("<16I", block)
    a, b, c, d = _START
    for step, constant in enumerate(_CONSTANTS):
        mixed, index = _mix(step, b, c, d)
        total = (a + mixed + constant + words[index]) & _MASK
        rotation = _ROTATIONS[step // 16][step % 4]
        a, b, c, d = d, (b + (total << rotation | total >> (32 - rotation))) & _MASK, b, c
    return struct.pack("<4I", *((old + new) & _MASK for old, new in zip(_START, (a, b, c, d), strict=True)))


def _mix(step: int, b: int, c: int, d: int) -> tuple[int, int]:
    """Return the mixed state and the word that the step adds."""
    match step // 16:
        case 0:
            return b & c | ~b & d, step
        case 1:
            return d & b | ~d & c, (5 * step + 1) % 16
        case 2:
            return b ^ c ^ d, (3 * step + 5) % 16
        case _:
            return c ^ (b | ~d & _MASK), 7 * step % 16
