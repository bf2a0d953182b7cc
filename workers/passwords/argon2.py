"""ARGON2I, ARGON2ID and ARGON2: PHC strings, taken exactly as libsodium takes them, which is what Dovecot uses.

The only module that imports argon2. Its own verifier takes strings that libsodium refuses, so the string is read here.
The prefix of the string decides, not the name of the scheme, and whatever is wrong with it is a mismatch.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from workers.passwords.limits import MAX_ARGON2_LANES, MAX_MEMORY_KIB, MAX_MEMORY_WORK_KIB
from workers.passwords.memory_budget import BUDGET
from workers.passwords.scheme import Attempt, Generator, NewPassword
from workers.passwords.verdict import CostError, NotComputedError, SchemeError

_NUMBER: Final = rb"(0|[1-9][0-9]{0,9})"
_PHC: Final = re.compile(
    rb"\$(argon2id?)\$v=19\$m=%b,t=%b,p=%b\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)" % (_NUMBER, _NUMBER, _NUMBER)
)

_TYPES: Final = {b"argon2i": Type.I, b"argon2id": Type.ID}
_MIN_SALT_BYTES: Final = 8
_MIN_TAG_BYTES: Final = 16
_MAX_UINT: Final = 2**32 - 1
_MAX_LANES: Final = 2**24 - 1
_MIN_MEMORY_PER_LANE_KIB: Final = 8

_NEW_SALT_BYTES: Final = 16
_NEW_TAG_BYTES: Final = 32
_MIN_NEW_PASSES: Final = 3


@dataclass(frozen=True, slots=True)
class _Parameters:
    kind: bytes
    memory_kib: int
    passes: int
    lanes: int

    @property
    def is_valid(self) -> bool:
        """Whether argon2 is defined for them."""
        return (
            1 <= self.lanes <= _MAX_LANES
            and 1 <= self.passes <= _MAX_UINT
            and _MIN_MEMORY_PER_LANE_KIB * self.lanes <= self.memory_kib <= _MAX_UINT
        )

    def tag(self, plain: bytes, salt: bytes, length: int) -> bytes:
        """Compute the hash."""
        self._check_cost()
        with BUDGET.reserve(self.memory_kib):
            return hash_secret_raw(plain, salt, self.passes, self.memory_kib, self.lanes, length, _TYPES[self.kind])

    def _check_cost(self) -> None:
        if self.memory_kib > MAX_MEMORY_KIB:
            raise CostError("memory (KiB) of argon2", MAX_MEMORY_KIB)
        if self.memory_kib * self.passes > MAX_MEMORY_WORK_KIB:
            raise CostError("memory (KiB) times passes of argon2", MAX_MEMORY_WORK_KIB)
        if self.lanes > MAX_ARGON2_LANES:
            raise CostError("lanes of argon2", MAX_ARGON2_LANES)


def verify(attempt: Attempt) -> bool:
    """Compare the tag."""
    match = _PHC.fullmatch(attempt.text)
    if match is None:
        return False
    parameters = _Parameters(match[1], int(match[2]), int(match[3]), int(match[4]))
    salt, tag = _decoded(match[5]), _decoded(match[6])
    if not parameters.is_valid or len(salt) < _MIN_SALT_BYTES or len(tag) < _MIN_TAG_BYTES:
        return False
    try:
        return hmac.compare_digest(parameters.tag(attempt.plain, salt, len(tag)), tag)
    except HashingError as exc:
        # All parameters were checked, so this is the memory. Not a mismatch: the password may be right.
        raise NotComputedError("argon2 could not allocate its memory") from exc


def _decoded(text: bytes) -> bytes:
    """Decode base64 without padding; empty if a trailing bit is set or a character is left over."""
    if len(text) % 4 == 1:
        return b""
    raw = base64.b64decode(text + b"=" * (-len(text) % 4))
    return raw if _unpadded(raw) == text else b""


def _unpadded(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


@dataclass(frozen=True, slots=True)
class _Presets:
    """libsodium's passes -> memory, for hashes that Dovecot makes."""

    kind: bytes
    default_rounds: int
    #: (rounds from which it holds, KiB), falling.
    memory: tuple[tuple[int, int], ...]

    def parameters(self, rounds: int) -> _Parameters:
        wanted = rounds or self.default_rounds
        memory_kib = next(kib for least, kib in self.memory if wanted >= least)
        return _Parameters(self.kind, memory_kib, max(wanted, _MIN_NEW_PASSES), 1)


_ARGON2I: Final = _Presets(b"argon2i", 4, ((8, 512 * 1024), (6, 128 * 1024), (0, 32 * 1024)))
_ARGON2ID: Final = _Presets(b"argon2id", 2, ((4, 1024 * 1024), (3, 256 * 1024), (0, 64 * 1024)))


def _generate(presets: _Presets, new: NewPassword) -> bytes:
    parameters, salt = presets.parameters(new.rounds), secrets.token_bytes(_NEW_SALT_BYTES)
    try:
        tag = parameters.tag(new.plain, salt, _NEW_TAG_BYTES)
    except HashingError as exc:
        raise SchemeError("argon2 could not allocate its memory") from exc
    settings = b"m=%d,t=%d,p=%d" % (parameters.memory_kib, parameters.passes, parameters.lanes)
    return b"$%s$v=19$%s$%s$%s" % (parameters.kind, settings, _unpadded(salt), _unpadded(tag))


generate_argon2i: Final[Generator] = partial(_generate, _ARGON2I)
generate_argon2id: Final[Generator] = partial(_generate, _ARGON2ID)
