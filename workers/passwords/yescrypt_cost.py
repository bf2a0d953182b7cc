"""How much memory and work a yescrypt, gost-yescrypt or scrypt setting of crypt(3) asks for.

`crypt_cost` uses it. The format is that of libxcrypt's `alg-yescrypt-common.c`: `$y$`/`$gy$`, then numbers of varying
length; `$7$`, then one character, then two numbers of five.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from workers.passwords.salt import ALPHABET

_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}

#: Each step of N*r needs 128 bytes: eight make one KiB.
_STEPS_PER_KIB: Final = 8

_FIXED_NUMBER_CHARACTERS: Final = 5

#: An exponent or number beyond all limits anyway; keeps the product small enough to compute.
_HUGE_EXPONENT: Final = 63

#: Optional parameters in their order -> least value of each; `t` adds passes, the others do not make it dearer.
_OPTIONAL_MINIMA: Final = {"p": 2, "t": 1, "g": 1, "rom": 1}


@dataclass(frozen=True, slots=True)
class YescryptCost:
    """What a setting asks for."""

    memory_kib: int
    #: Memory that is gone over, all passes together.
    work_kib: int


def scrypt_cost(parameters: bytes) -> YescryptCost | None:
    """Read what follows `$7$`; None if it is no valid setting, which libcrypt refuses at once."""
    values = [_VALUES.get(character) for character in parameters[: 1 + 2 * _FIXED_NUMBER_CHARACTERS]]
    if len(values) < 1 + 2 * _FIXED_NUMBER_CHARACTERS or None in values:
        return None
    digits = [value for value in values if value is not None]
    block_size = _fixed_number(digits[1 : 1 + _FIXED_NUMBER_CHARACTERS])
    parallelism = _fixed_number(digits[1 + _FIXED_NUMBER_CHARACTERS :])
    return _cost(digits[0], block_size, parallelism, 0)


def _fixed_number(digits: list[int]) -> int:
    return sum(digit << 6 * place for place, digit in enumerate(digits))


def yescrypt_cost(parameters: bytes) -> YescryptCost | None:
    """Read what follows `$y$` or `$gy$`; None if it is no valid setting."""
    reader = _Reader(parameters)
    try:
        reader.number(0)
        exponent, block_size = reader.number(1), reader.number(1)
        optional = {} if reader.is_at_end else _optional(reader)
    except ValueError:
        return None
    return _cost(exponent, block_size, optional.get("p", 1), optional.get("t", 0))


def _optional(reader: _Reader) -> dict[str, int]:
    present = reader.number(1)
    return {
        name: reader.number(minimum)
        for bit, (name, minimum) in enumerate(_OPTIONAL_MINIMA.items())
        if present >> bit & 1
    }


def _cost(exponent: int, block_size: int, parallelism: int, extra_passes: int) -> YescryptCost:
    steps = block_size << min(exponent, _HUGE_EXPONENT)
    memory_kib = (steps + block_size * (parallelism - 1)) // _STEPS_PER_KIB
    # Filling the memory is one pass, mixing it another; the limits count both as one, as they do for argon2.
    return YescryptCost(memory_kib, steps * parallelism * (1 + extra_passes) // _STEPS_PER_KIB)


class _Reader:
    """Reads yescrypt's numbers: the first character tells how many more belong to it."""

    def __init__(self, parameters: bytes) -> None:
        self._rest = parameters

    @property
    def is_at_end(self) -> bool:
        return self._rest.startswith(b"$")

    def number(self, minimum: int) -> int:
        first = self._digit()
        start, end, bits, value = 0, 47, 0, minimum
        while first > end:
            value += (end + 1 - start) << bits
            start, end, bits = end + 1, end + 1 + (62 - end) // 2, bits + 6
        value += (first - start) << bits
        while bits:
            bits -= 6
            value += self._digit() << bits
        return value

    def _digit(self) -> int:
        if not self._rest or self._rest[0] not in _VALUES:
            raise ValueError("no character of the alphabet")
        value = _VALUES[self._rest[0]]
        self._rest = self._rest[1:]
        return value
