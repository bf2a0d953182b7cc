"""Filters that choose a value: if, switch.

Called through the table in filters.py. The left side is the value so far; at the beginning of a pipeline it is the
first argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from workers.api.var_expand.argument import Arguments, anything, number, positional, string
from workers.api.var_expand.comparison import NUMERIC, OPERATORS, REGEXP, TEXT, WILDCARD
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_integer
from workers.api.var_expand.regexp import matches_pcre
from workers.api.var_expand.state import State
from workers.api.var_expand.syntax import Operand
from workers.api.var_expand.wildcard import matches_wildcard

#: comparator, right side, value if true, value if false
_IF_COUNT = 4

_Side = TypeVar("_Side", int, bytes)


class _Condition(NamedTuple):
    left: Operand
    comparator: bytes
    rest: tuple[Operand, ...]


def choose_if(state: State, arguments: Arguments) -> None:
    """With [left,] comparator, right, value if true, value if false."""
    most = _IF_COUNT if state.is_set else _IF_COUNT + 1
    operands = positional(arguments, most)
    if len(operands) != most:
        # A variable without a value as comparator is reported before what is missing.
        if len(operands) > most - _IF_COUNT:
            _comparator(state, operands[most - _IF_COUNT])
        raise VarExpandError(b"Missing parameters")
    condition = _condition(state, operands)
    right, if_true, if_false = condition.rest
    is_true = _compare(state, condition, right)
    try:
        state.set_text(anything(state, if_true if is_true else if_false))
    except VarExpandError as exc:
        branch = b"True" if is_true else b"False"
        raise VarExpandError(b"%b branch: %b" % (branch, exc.detail)) from exc


def choose_switch(state: State, arguments: Arguments) -> None:
    """With [left,] comparator, then pairs of right and value, then maybe a default."""
    operands = positional(arguments, len(arguments))
    first_count = 1 if state.is_set else 2
    if len(operands) < first_count:
        raise VarExpandError(b"Missing parameters")
    if len(operands) < first_count + 2:
        _comparator(state, operands[first_count - 1])
        raise VarExpandError(b"At least one condition-value pair is required")
    condition = _condition(state, operands)
    position, chosen = _chosen(state, condition)
    if chosen is None:
        raise VarExpandError(b"No default value provided")
    try:
        state.set_text(anything(state, chosen))
    except VarExpandError as exc:
        raise VarExpandError(b"in condition #%d: %b" % (position, exc.detail)) from exc


def _chosen(state: State, condition: _Condition) -> tuple[int, Operand | None]:
    pairs = condition.rest
    for position in range(len(pairs) // 2):
        if _compare(state, condition, pairs[2 * position]):
            return position, pairs[2 * position + 1]
    return len(pairs) // 2, pairs[-1] if len(pairs) % 2 else None


def _condition(state: State, operands: tuple[Operand, ...]) -> _Condition:
    if not state.is_set:
        return _Condition(operands[0], _known(_comparator(state, operands[1])), operands[2:])
    comparator = _known(_comparator(state, operands[0]))
    left: Operand | None = parse_integer(state.text) if comparator in NUMERIC else state.text
    if left is None:
        raise VarExpandError(b"Input is not a number")
    return _Condition(left, comparator, operands[1:])


def _comparator(state: State, operand: Operand) -> bytes:
    try:
        return string(state, operand)
    except VarExpandError as exc:
        raise VarExpandError(b"Comparator: " + exc.detail) from exc


def _known(comparator: bytes) -> bytes:
    if comparator not in OPERATORS:
        raise VarExpandError(b"Unsupported comparator '%b'" % comparator)
    return comparator


def _compare(state: State, condition: _Condition, right: Operand) -> bool:
    comparator = condition.comparator
    if comparator in NUMERIC:
        # The colon of the error texts belongs to the numeric operators alone.
        return NUMERIC[comparator](
            _side(state, number, condition.left, b"Left-hand side:"), _side(state, number, right, b"Right-hand side:")
        )
    left = _side(state, string, condition.left, b"Left-hand side")
    return _compare_text(state, comparator, left, _side(state, string, right, b"Right-hand side"))


def _side(state: State, read: Callable[[State, Operand], _Side], operand: Operand, name: bytes) -> _Side:
    try:
        return read(state, operand)
    except VarExpandError as exc:
        raise VarExpandError(b"%b %b" % (name, exc.detail)) from exc


def _compare_text(state: State, comparator: bytes, left: bytes, right: bytes) -> bool:
    if comparator in TEXT:
        return TEXT[comparator](left, right)
    if comparator in WILDCARD:
        return matches_wildcard(left, right, state.budget) is WILDCARD[comparator]
    return matches_pcre(right, left, state.budget) is REGEXP[comparator]
