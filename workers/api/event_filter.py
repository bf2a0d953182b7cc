"""Dovecot's event filter language, as far as it applies to log lines: decides which debug lines are wanted.

A worker parses its filter once; `make_wants_debug` turns it into the native that events ask. Grammar, weakest first:
`A OR B`, `A AND B`, `NOT A`, `(A)`, and `key=value` with `event`, `category`, `source_location` (`FILE` or
`FILE:LINE`) or the name of a field as key. Values may be quoted and hold `*` and `?`; case does not matter.

**Mirrors** event-filter-parser.y and event-filter.c of 2.4; comparisons other than `=` are refused.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.errors import LualoftError
from workers.api.record import SentEvent, event_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.api.record import FieldValue, LogContext, LogRecord

_TOKEN: Final = re.compile(r'\s*(?:([()=])|"((?:[^"\\]|\\.)*)"|([^\s()="]+))')


class EventFilterError(LualoftError):
    """A text that is no event filter."""


@dataclass
class _Parser:
    """A recursive descent over the tokens; `None` stands behind the last."""

    text: str
    tokens: list[str | None]
    place: int = 0

    def either(self) -> Callable[[LogRecord], bool]:
        sides = [self.both()]
        while self._take("OR"):
            sides.append(self.both())
        return sides[0] if len(sides) == 1 else lambda record: any(side(record) for side in sides)

    def both(self) -> Callable[[LogRecord], bool]:
        sides = [self.one()]
        while self._take("AND"):
            sides.append(self.one())
        return sides[0] if len(sides) == 1 else lambda record: all(side(record) for side in sides)

    def one(self) -> Callable[[LogRecord], bool]:
        if self._take("NOT"):
            inner = self.one()
            return lambda record: not inner(record)
        if self._take("("):
            inner = self.either()
            self._expect(")")
            return inner
        key = self._word()
        self._expect("=")
        return _comparison(key, self._word())

    def end(self) -> None:
        self._expect(None)

    def _take(self, token: str) -> bool:
        current = self.tokens[self.place]
        if current is not None and current.upper() == token:
            self.place += 1
            return True
        return False

    def _expect(self, token: str | None) -> None:
        if self.tokens[self.place] != token:
            found = self.tokens[self.place] or "its end"
            wanted = token or "AND, OR or its end"
            raise EventFilterError(f"event filter '{self.text}': {wanted} expected before {found}")
        self.place += 1

    def _word(self) -> str:
        word = self.tokens[self.place]
        if word is None or word in {"(", ")", "="}:
            raise EventFilterError(f"event filter '{self.text}': a word expected before {word or 'its end'}")
        self.place += 1
        return word


def parse_filter(text: str) -> Callable[[LogRecord], bool]:
    """Parse a filter; the result says whether a record matches.

    Raises:
        EventFilterError: the text is no filter.
    """
    tokens: list[str | None] = []
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if not found:
            raise EventFilterError(f"event filter '{text}': a quote is not closed")
        mark, quoted, word = found.groups()
        tokens.append(mark or word or re.sub(r"\\(.)", r"\1", quoted or ""))
        place = found.end()
    parser = _Parser(text, [*tokens, None])
    result = parser.either()
    parser.end()
    return result


def make_wants_debug(wanted: Callable[[LogRecord], bool], context: LogContext) -> Callable[..., bool]:
    """Make the native `wants_debug` of a script (see LuaState)."""

    def wants_debug(text: bytes, name: bytes | None, file: bytes, line: int, packed_fields: bytes | None) -> bool:
        sent = SentEvent(b"debug", None, text, name, file, line, False, packed_fields)  # noqa: FBT003 - a tuple's field
        return wanted(event_record(context, sent))

    return wants_debug


def _comparison(key: str, value: str) -> Callable[[LogRecord], bool]:
    pattern = re.compile(fnmatch.translate(value.replace("[", "[[]")), re.IGNORECASE)

    def matches(data: bytes) -> bool:
        return pattern.match(data.decode("utf-8", "backslashreplace")) is not None

    if key == "event":
        return lambda record: matches(record.name)
    if key == "category":
        return lambda record: any(matches(category) for category in record.categories)
    if key == "source_location":
        return lambda record: matches(record.file) or matches(b"%s:%d" % (record.file, record.line))
    name = key.encode()
    return lambda record: name in record.fields and matches(_field_text(record.fields[name]))


def _field_text(value: FieldValue) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"%d" % (value if isinstance(value, int) else value.unix_s)
