"""MD4 (RFC 1320), which OpenSSL 3 no longer gives out by default. For PLAIN-MD4 and OTP only."""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)

#: Of each round: order of the words, rotations, constant.
_ROUNDS: Final = (
    (tuple(range(16)), (3, 7, 11, 19), 0),
    (tuple(row + column for row in range(4) for column in (0, 4, 8, 12)), (3, 5, 9, 13), 0x5A827999),
    ((0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15), 0x6ED9EBA1),
)


def md4(data: bytes) -> bytes:
    """Return the digest."""
    padded = data + b"\x80" + b"\0" * (-(len(data) + 9) % 64) + struct.pack("<Q", len(data) * 8 & (2**64 - 1))
    state: tuple[int, ...] = _START
    for block in struct.iter_unpack("<16I", padded):
        state = _compress(state, block)
    return struct.pack("<4I", *state)


def _compress(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c, d = state
    for number, (order, rotations, constant) in enumerate(_ROUNDS):
        for step, index in enumerate(order):
            total = (a + _mix(number, b, c, d) + words[index] + constant) & _MASK
            rotation = rotations[step % 4]
            a, b, c, d = d, (total << rotation | total >> (32 - rotation)) & _MASK, b, c
    return tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True))


def _mix(number: int, b: int, c: int, d: int) -> int:
    if number == 0:
        return b & c | ~b & d
    return b & c | b & d | c & d if number == 1 else b ^ c ^ d
