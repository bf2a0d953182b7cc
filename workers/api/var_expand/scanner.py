"""Tokens of the inside of `%{...}` in a 2.4 template.

Called by the grammar in syntax.py. Characters that no token begins with are skipped, not refused, as in Dovecot
(`%{user!}` is `%{user}`).

Mirrors: the token rules of Dovecot 2.4's lib-var-expand, main after 2.4.4.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from workers.api.var_expand.error import VarExpandError

# The kinds carry the names that Dovecot's syntax errors show.
END = b"end of file"
CLOSE = b"CCBRACE"
PIPE = b"PIPE"
OPEN_LIST = b"OBRACE"
CLOSE_LIST = b"CBRACE"
COMMA = b"COMMA"
EQUALS = b"EQ"
PLUS = b"PLUS"
MINUS = b"MINUS"
STAR = b"STAR"
SLASH = b"SLASH"
PERCENT = b"PERC"
NAME = b"NAME"
VALUE = b"VALUE"
NUMBER = b"NUMBER"

_SIGNS = {
    b"}": CLOSE,
    b"|": PIPE,
    b"(": OPEN_LIST,
    b")": CLOSE_LIST,
    b",": COMMA,
    b"=": EQUALS,
    b"+": PLUS,
    b"-": MINUS,
    b"*": STAR,
    b"/": SLASH,
    b"%": PERCENT,
}
_TOKEN = re.compile(
    rb"(?P<name>[a-zA-Z\x80-\xff][a-zA-Z0-9_/;:.\x80-\xff-]*)|(?P<number>[0-9]+)|(?P<sign>[}|(),=+*/%'\"-])"
)
_ESCAPE = re.compile(rb"x([0-9a-fA-F]{2})|([0-9]{1,3})|([\\trn\"'])")
_ESCAPED = {b"\\": b"\\", b"t": b"\t", b"r": b"\r", b"n": b"\n", b'"': b'"', b"'": b"'"}
_CHUNKS = {b"'": re.compile(rb"[^'\\]*"), b'"': re.compile(rb'[^"\\]*')}


class Token(NamedTuple):
    """One token; `text` is the unescaped content of a VALUE."""

    kind: bytes
    text: bytes


class Scanner:
    """Reads tokens from `position` on; after a CCBRACE, `position` stands behind the brace."""

    def __init__(self, source: bytes, position: int) -> None:
        self._source = source
        self.position = position

    def next(self) -> Token:
        """The next token; END for ever at the end of the template."""
        found = _TOKEN.search(self._source, self.position)
        if found is None:
            self.position = len(self._source)
            return Token(END, b"")
        self.position = found.end()
        text = found.group()
        if found.lastgroup == "name":
            return Token(NAME, _valid(text))
        if found.lastgroup == "number":
            return Token(NUMBER, text)
        if text in _CHUNKS:
            return self._string(text)
        return Token(_SIGNS[text], text)

    def _string(self, quote: bytes) -> Token:
        chunk = _CHUNKS[quote]
        parts = []
        while found := chunk.match(self._source, self.position):
            parts.append(_valid(found.group()))
            self.position = found.end() + 1
            if found.end() >= len(self._source):
                break
            if self._source[found.end() : self.position] == quote:
                # Dovecot keeps the value as a C string: an escaped NUL ends it.
                return Token(VALUE, b"".join(parts).partition(b"\0")[0])
            parts.append(self._escape())
        self.position = len(self._source)
        return Token(END, b"")

    def _escape(self) -> bytes:
        while self._source.startswith(b"\n", self.position):
            self.position += 1
        if self.position >= len(self._source):
            return b""
        found = _ESCAPE.match(self._source, self.position)
        if found is None:
            raise VarExpandError(b"Invalid character escape")
        self.position = found.end()
        hexadecimal, octal, sign = found.groups()
        if sign is not None:
            return _ESCAPED[sign]
        try:
            return bytes([int(hexadecimal, 16) if hexadecimal is not None else int(octal, 8)])
        except ValueError as exc:
            raise VarExpandError(b"Invalid character escape") from exc


def _valid(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError as exc:
        raise VarExpandError(b"Invalid UTF-8 string") from exc
    return text
