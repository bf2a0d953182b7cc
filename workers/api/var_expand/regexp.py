"""Regular expressions: match and replace, bounded in time.

Called by the `regexp`, `if` and `switch` filters and by 2.3's `%{if;...}`. Patterns are compiled once.
"""

from __future__ import annotations

import re
from functools import lru_cache

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.limit import Budget, check_size
from workers.api.var_expand.regexp_machine import Machine, Slots
from workers.api.var_expand.regexp_node import Expression
from workers.api.var_expand.regexp_perl import PerlParser
from workers.api.var_expand.regexp_posix import PosixParser

#: Patterns that are kept; the largest takes half a megabyte.
_CACHE_COUNT = 64
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w{1,32})\}|(\w{1,32}))?")
_ESCAPE = re.compile(rb"\\([0-9\\])")


def matches_pcre(pattern: bytes, subject: bytes, budget: Budget) -> bool:
    """Whether a part of the subject matches. An empty match is none, as Dovecot asks libpcre2."""
    return _search_pcre(pattern, _decoded(subject), budget) is not None


def replace_pcre(pattern: bytes, replacement: bytes, subject: bytes, budget: Budget) -> bytes | None:
    r"""The subject with its first match replaced, or None if nothing matches.

    Args:
        replacement: `\1` or `$1`, `${name}` stand for groups, `$$` and `\\` for themselves.
    """
    text = _decoded(subject)
    slots = _search_pcre(pattern, text, budget)
    if slots is None:
        return None
    template = _decoded(_ESCAPE.sub(lambda found: b"\\" if found[1] == b"\\" else b"$" + found[1], replacement))
    expression = _perl(pattern)
    size = len(subject)
    parts = [text[: slots[0]]]
    position = 0
    for found in _REFERENCE.finditer(template):
        parts += [template[position : found.start()], _referred(found, expression, slots, text)]
        position = found.end()
        size += 4 * len(parts[-1])
        check_size(size)
    return "".join([*parts, template[position:], text[slots[1] :]]).encode()


def matches_posix(pattern: bytes, subject: bytes, budget: Budget) -> bool:
    """Whether a part of the subject matches; an empty part will do."""
    return Machine(_posix(pattern), _bytes_decoded(subject), budget).search(is_empty_allowed=True) is not None


def _search_pcre(pattern: bytes, text: str, budget: Budget) -> Slots | None:
    return Machine(_perl(pattern), text, budget).search(is_empty_allowed=False)


def _referred(found: re.Match[str], expression: Expression, slots: Slots, text: str) -> str:
    dollar, braced, plain = found.groups()
    if dollar:
        return "$"
    name = braced or plain
    if name is None:
        raise VarExpandError(b"invalid replacement string")
    digits = name if name.isdecimal() and name.isascii() else ""
    number = int(digits) if digits else expression.group_names.get(name, -1)
    if not 0 <= number <= expression.group_count:
        raise VarExpandError(b"unknown substring")
    start, end = slots[2 * number], slots[2 * number + 1]
    if start < 0 or end < 0:
        raise VarExpandError(b"requested value is not set")
    return text[start:end]


@lru_cache(maxsize=_CACHE_COUNT)
def _perl(pattern: bytes) -> Expression:
    return PerlParser(_decoded(pattern)).expression()


@lru_cache(maxsize=_CACHE_COUNT)
def _posix(pattern: bytes) -> Expression:
    return PosixParser(_bytes_decoded(pattern)).expression()


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise VarExpandError(b"bad data value") from exc


def _bytes_decoded(data: bytes) -> str:
    # A byte above ASCII becomes a surrogate, which is neither a letter nor anything else.
    return data.decode("ascii", errors="surrogateescape")
