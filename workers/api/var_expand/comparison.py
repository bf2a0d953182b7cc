"""The operators of `if` and `switch`, in both dialects.

Called by filters_choice.py and legacy_condition.py, which differ in their error texts and in the regular expressions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

NUMERIC: dict[bytes, Callable[[int, int], bool]] = {
    b"==": operator.eq,
    b"!=": operator.ne,
    b"<": operator.lt,
    b"<=": operator.le,
    b">": operator.gt,
    b">=": operator.ge,
}
TEXT: dict[bytes, Callable[[bytes, bytes], bool]] = {
    b"eq": operator.eq,
    b"ne": operator.ne,
    b"lt": operator.lt,
    b"le": operator.le,
    b"gt": operator.gt,
    b"ge": operator.ge,
}
#: operator -> whether a match makes it true.
WILDCARD = {b"*": True, b"!*": False}
REGEXP = {b"~": True, b"!~": False}

OPERATORS = frozenset({*NUMERIC, *TEXT, *WILDCARD, *REGEXP})
