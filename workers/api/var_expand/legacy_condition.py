"""`%{if;left;operator;right;true[;false]}` of dialect 2.3.

Called by legacy.py.

Mirrors: Dovecot 2.3.19, compared with its library: all values are expanded before the comparison, so an unknown
variable in the value that is not chosen is an error too.
"""

from __future__ import annotations

from collections.abc import Callable

from workers.api.var_expand.comparison import NUMERIC, OPERATORS, TEXT, WILDCARD
from workers.api.var_expand.comparison import REGEXP as REGEXP_OPERATORS
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import parse_integer
from workers.api.var_expand.limit import Budget
from workers.api.var_expand.regexp import matches_posix
from workers.api.var_expand.wildcard import matches_wildcard

_PARAMETER_COUNT = 5


def chosen(text: bytes, expand: Callable[[bytes], bytes], budget: Budget) -> bytes:
    """The chosen value.

    Args:
        text: what stands in the braces, from `if` on.
        expand: expands a parameter.
    """
    _, semicolon, rest = text.partition(b";")
    if not semicolon:
        raise VarExpandError(b"if: missing parameter(s)")
    parameters = _split(rest)
    if len(parameters) == _PARAMETER_COUNT - 1:
        parameters.append(b"")
    if len(parameters) != _PARAMETER_COUNT:
        raise VarExpandError(b"if: requires four or five parameters, got %d" % len(parameters))
    left, comparator, right, if_true, if_false = (expand(parameter) for parameter in parameters)
    return if_true if _compare(left, comparator, right, budget) else if_false


def _split(text: bytes) -> list[bytes]:
    """Split at semicolons outside of inner braces, and drop backslashes; a colon ends everything."""
    parameters: list[bytes] = []
    parameter = bytearray()
    depth = 0
    is_escaped = is_after_percent = False
    for byte in text:
        character = bytes((byte,))
        if character == b"\\":
            is_escaped = True
            continue
        if is_escaped:
            is_escaped = False
        elif character == b"%":
            is_after_percent = True
        elif is_after_percent and character == b"{":
            depth += 1
            is_after_percent = False
        elif depth > 0:
            depth -= character == b"}"
        elif character == b";":
            parameters.append(bytes(parameter))
            parameter.clear()
            continue
        elif character == b":":
            break
        parameter += character
    return [*parameters, bytes(parameter)] if parameter else parameters


def _compare(left: bytes, comparator: bytes, right: bytes, budget: Budget) -> bool:
    if comparator not in OPERATORS:
        raise VarExpandError(b"if: Unsupported comparator '%b'" % comparator)
    if comparator in NUMERIC:
        return NUMERIC[comparator](_number(left, b"lhs"), _number(right, b"rhs"))
    if comparator in TEXT:
        return TEXT[comparator](left, right)
    if comparator in WILDCARD:
        return matches_wildcard(left, right, budget) is WILDCARD[comparator]
    try:
        return matches_posix(right, left, budget) is REGEXP_OPERATORS[comparator]
    except VarExpandError as exc:
        raise VarExpandError(b"if: regex failed: " + exc.detail) from exc


def _number(text: bytes, side: bytes) -> int:
    number = parse_integer(text)
    if number is None:
        raise VarExpandError(b"if: %b (%b) is not a number" % (text, side))
    return number
