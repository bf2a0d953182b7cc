"""Wildcard patterns: `*` is any text, `?` one byte; nothing can be escaped.

Called by comparison.py. Takes at most pattern times text steps: it never returns to a `*` before the last one.
"""

from __future__ import annotations

from workers.api.var_expand.limit import Budget

_STAR = ord("*")
_ANY = ord("?")


def matches_wildcard(text: bytes, pattern: bytes, budget: Budget) -> bool:
    """Whether the whole text matches."""
    position = index = 0
    star = -1
    resumed = 0
    while position < len(text):
        if index < len(pattern) and pattern[index] == _STAR:
            star, resumed = index, position
            index += 1
        elif index < len(pattern) and pattern[index] in {_ANY, text[position]}:
            position += 1
            index += 1
        elif star >= 0:
            budget.spend(1 + index - star)
            resumed += 1
            position, index = resumed, star + 1
        else:
            return False
    return not pattern[index:].strip(b"*")
