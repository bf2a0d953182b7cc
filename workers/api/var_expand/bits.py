"""Hashing and cutting bits, shared by the 2.4 filters and the 2.3 hash functions."""

from __future__ import annotations

import hashlib

from workers.api.var_expand.limit import Budget

#: Dovecot's name -> hashlib's name.
_ALGORITHMS = {
    b"md5": "md5",
    b"sha1": "sha1",
    b"sha256": "sha256",
    b"sha384": "sha384",
    b"sha512": "sha512",
    b"sha3-256": "sha3_256",
    b"sha3-512": "sha3_512",
}
#: Hashing this many bytes of salt takes about as long as a round without salt.
_BYTES_PER_WORK = 256
#: The algorithm that is none: the length as eight bytes, big end first.
_SIZE = b"size"

ALGORITHM_NAMES = frozenset({*_ALGORITHMS, _SIZE})


def digest(algorithm: bytes, data: bytes, *, salt: bytes, round_count: int, budget: Budget) -> bytes:
    """Hash salt and data; every further round hashes the salt and the last digest. No rounds: the data itself."""
    budget.spend(max(0, round_count) * (1 + len(salt) // _BYTES_PER_WORK))
    if algorithm == _SIZE:
        for _ in range(round_count):
            data = (len(salt) + len(data)).to_bytes(8, "big")
        return data
    new = getattr(hashlib, _ALGORITHMS[algorithm])
    for _ in range(round_count):
        data = new(salt + data, usedforsecurity=False).digest()
    return data


def digest_size_bytes(algorithm: bytes) -> int:
    """How long a digest is."""
    return 8 if algorithm == _SIZE else hashlib.new(_ALGORITHMS[algorithm], usedforsecurity=False).digest_size


def first_bits(data: bytes, bit_count: int) -> bytes:
    """The first bits as a number in as few bytes as hold them; all bytes if there are not that many bits."""
    if len(data) * 8 < bit_count:
        return data
    size = (bit_count + 7) // 8
    return (int.from_bytes(data[:size], "big") >> (size * 8 - bit_count)).to_bytes(size, "big")
