"""Refuses settings of crypt(3) that would hold a core or the memory for too long. `crypt` asks it before it hashes.

A setting that is not valid is none of its business: libcrypt refuses that at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from workers.passwords.limits import (
    MAX_MEMORY_KIB,
    MAX_MEMORY_WORK_KIB,
    MAX_SHA1_CRYPT_ROUNDS,
    MAX_SHA_CRYPT_ROUNDS,
    MAX_SUN_MD5_ROUNDS,
)
from workers.passwords.number import parse_uint
from workers.passwords.verdict import CostError
from workers.passwords.yescrypt_cost import scrypt_cost, yescrypt_cost

if TYPE_CHECKING:
    from workers.passwords.yescrypt_cost import YescryptCost

#: Settings with a number of rounds: name, what precedes the digits, limit. A sign counts as digits: libcrypt reads some
#: of these numbers with strtoul, which takes `-1` for the largest number there is.
_ROUNDS: Final = (
    ("rounds of SHA-crypt", re.compile(rb"\$[56]\$rounds=([-+0-9]+)"), MAX_SHA_CRYPT_ROUNDS),
    ("rounds of SHA1-crypt", re.compile(rb"\$sha1\$([-+0-9]+)"), MAX_SHA1_CRYPT_ROUNDS),
    ("rounds of SunMD5", re.compile(rb"\$md5,rounds=([-+0-9]+)"), MAX_SUN_MD5_ROUNDS),
)


def check_cost(setting: bytes) -> int:
    """Return the memory in KiB that a setting asks for, 0 for one that needs no more than its buffer.

    Raises:
        CostError: it asks for more than we give.
    """
    for what, pattern, limit in _ROUNDS:
        match = pattern.match(setting)
        if match and parse_uint(match[1], limit) is None:
            raise CostError(what, limit)
    cost = _memory_cost(setting)
    if cost is None:
        return 0
    if cost.memory_kib > MAX_MEMORY_KIB:
        raise CostError("memory (KiB) of yescrypt or scrypt", MAX_MEMORY_KIB)
    if cost.work_kib > MAX_MEMORY_WORK_KIB:
        raise CostError("memory (KiB) times passes of yescrypt or scrypt", MAX_MEMORY_WORK_KIB)
    return cost.memory_kib


def _memory_cost(setting: bytes) -> YescryptCost | None:
    method, _, parameters = setting.removeprefix(b"$").partition(b"$")
    if method == b"7":
        return scrypt_cost(parameters)
    return yescrypt_cost(parameters) if method in {b"y", b"gy"} else None
