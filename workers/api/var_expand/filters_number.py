"""Filters on numbers: calculate, hex, unhex, lenumber, benumber.

Called through the table in filters.py. Numbers are signed 64-bit, as Dovecot's; an overflow wraps around.
"""

from __future__ import annotations

from typing import Literal

from workers.api.var_expand.argument import Arguments, number, positional, required
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import MAX_UNSIGNED, parse_integer, parse_unsigned, wrap
from workers.api.var_expand.limit import check_size
from workers.api.var_expand.state import State
from workers.api.var_expand.syntax import Operator

_WORD_SIZES = {1, 2, 4, 8}
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_WORD_BYTES = 8


def calculate(state: State, arguments: Arguments) -> None:
    """`value + 1`; the grammar makes `calculate(0, 1)` of it."""
    required(arguments)
    operands = positional(arguments, 2)
    if operands[0] not in tuple(Operator):
        raise VarExpandError(b"Missing operator")
    if len(operands) == 1:
        raise VarExpandError(b"Missing operand")
    right = number(state, operands[1])
    state.require(b"calculate")
    if state.is_binary and operands[0] == Operator.MODULO:
        state.set_text(b"%d" % _binary_modulo(state.value, right))
        return
    left = parse_integer(state.text)
    if left is None:
        raise VarExpandError(b"Input is not a number")
    state.set_data(b"%d" % wrap(_result(left, operands[0], right)))


def to_hex(state: State, arguments: Arguments) -> None:
    """hex([width]): negative fills with zeros on the right; longer values lose their beginning, or their end."""
    operands = positional(arguments, 1)
    width = number(state, operands[0]) if operands else 0
    state.require(b"hex")
    value = parse_unsigned(state.text)
    if value is None:
        raise VarExpandError(b"Input is not a number")
    check_size(abs(width))
    digits = b"%x" % value
    if width < 0:
        digits = digits.ljust(-width, b"0")[:-width]
    elif width > 0:
        digits = digits.rjust(width, b"0")[-width:]
    state.set_data(digits)


def unhex(state: State, arguments: Arguments) -> None:
    """A hexadecimal number as a decimal one."""
    positional(arguments, 0)
    state.require(b"unhex")
    digits = state.text
    significant = digits.lstrip(b"0")[: 2 * _WORD_BYTES + 1]
    if not digits or not _HEX_DIGITS.issuperset(digits) or int(significant or b"0", 16) > MAX_UNSIGNED:
        raise VarExpandError(b"Input is not a hex number")
    state.set_text(b"%d" % int(significant or b"0", 16))


def lenumber(state: State, arguments: Arguments) -> None:
    """1, 2, 4 or 8 bytes, little end first."""
    _word(state, arguments, "little")


def benumber(state: State, arguments: Arguments) -> None:
    """1, 2, 4 or 8 bytes, big end first."""
    _word(state, arguments, "big")


def _word(state: State, arguments: Arguments, order: Literal["little", "big"]) -> None:
    positional(arguments, 0)
    state.require(b"convert to number")
    size = len(state.value)
    if size not in _WORD_SIZES:
        raise VarExpandError(b"Cannot convert '%d' bytes to number" % size)
    state.set_text(b"%d" % int.from_bytes(state.value, order))


def _binary_modulo(value: bytes, right: int) -> int:
    if right < 0:
        raise VarExpandError(b"Binary modulo must be positive integer")
    if right == 0:
        raise VarExpandError(b"Modulo by zero")
    return int.from_bytes(value[-_WORD_BYTES:], "big") % right


def _result(left: int, operator: object, right: int) -> int:
    if operator == Operator.PLUS:
        return left + right
    if operator == Operator.MINUS:
        return left - right
    if operator == Operator.STAR:
        return left * right
    if right == 0:
        raise VarExpandError(b"Division by zero" if operator == Operator.SLASH else b"Modulo by zero")
    # C rounds towards zero, and the remainder has the sign of the left side.
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if operator == Operator.SLASH else left - quotient * right
