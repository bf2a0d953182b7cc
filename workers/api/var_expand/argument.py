"""Reading the arguments of a filter: literals, or variables that hold the value.

Called by the filters. The names of the functions say what Dovecot accepts there.
"""

from __future__ import annotations

from typing import TypeAlias

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_integer
from workers.api.var_expand.state import State
from workers.api.var_expand.syntax import Argument, Operand, Variable

Arguments: TypeAlias = tuple[Argument, ...]


def string(state: State, operand: Operand) -> bytes:
    """A string literal or a variable."""
    if isinstance(operand, Variable):
        return _looked_up(state, operand)
    if isinstance(operand, int):
        raise VarExpandError(b"%d is not a string" % operand)
    return operand


def anything(state: State, operand: Operand) -> bytes:
    """A string, a number as its digits, or a variable."""
    return b"%d" % operand if isinstance(operand, int) else string(state, operand)


def number(state: State, operand: Operand) -> int:
    """A number literal or a variable with a number; a string literal is refused even if it holds digits."""
    if isinstance(operand, int):
        return operand
    if not isinstance(operand, Variable):
        raise VarExpandError(b"'%b' is not a number" % operand)
    value = _looked_up(state, operand)
    result = parse_integer(value)
    if result is None:
        raise VarExpandError(b"'%b' (in %b) is not a number" % (value, operand.name))
    return result


def boolean(state: State, operand: Operand) -> bool:
    """0 or 1."""
    value = number(state, operand)
    if value not in {0, 1}:
        raise VarExpandError(b"'%d' is not 0 or 1" % value)
    return bool(value)


def positional(arguments: Arguments, at_most: int) -> tuple[Operand, ...]:
    """The operands of a filter that knows no named arguments."""
    for argument in arguments:
        if argument.key is not None:
            raise unsupported(argument.key)
    if len(arguments) > at_most:
        raise VarExpandError(b"Too many positional parameters")
    return tuple(argument.operand for argument in arguments)


def named(arguments: Arguments) -> list[tuple[bytes, Operand]]:
    """The arguments of a filter that knows no positional ones."""
    result = []
    for argument in arguments:
        if argument.key is None:
            raise VarExpandError(b"Too many positional parameters")
        result.append((argument.key, argument.operand))
    return result


def required(arguments: Arguments) -> None:
    """Refuse a call without arguments."""
    if not arguments:
        raise VarExpandError(b"Missing parameters")


def unsupported(key: bytes) -> VarExpandError:
    """The error of a key or field that nobody knows."""
    return VarExpandError(b"Unsupported key '%b'" % key)


def _looked_up(state: State, operand: Variable) -> bytes:
    return state.lookup(operand.name).partition(b"\0")[0]
