"""Rows as text: JSON that any row survives, and lines for people.

Keys and values are bytes. In JSON those that are UTF-8 are strings, any other is `{"base64": "..."}`, as in batch
files.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Final

from dispatcher.protocol.errors import EXIT_FAILURE, LualoftError

_BASE64: Final = "base64"


class RowTextError(LualoftError):
    """A line that is no row; the message names the line and never holds it."""

    exit_code = EXIT_FAILURE


@dataclass(frozen=True)
class TextRow:
    """A row with whose it is."""

    key: bytes
    values: tuple[bytes, ...] = field(repr=False)
    username: bytes = b""


def to_json(row: TextRow) -> str:
    """Return a row as one line of JSON."""
    fields: dict[str, object] = {"key": shown(row.key)}
    if row.username:
        fields["user"] = shown(row.username)
    return json.dumps(fields | {"values": [shown(value) for value in row.values]}, ensure_ascii=False)


def from_json(line: bytes, number: int) -> TextRow:
    """Read a row from a line of JSON.

    Raises:
        RowTextError: it is none.
    """
    try:
        return _row(**json.loads(line))
    except (ValueError, TypeError, RecursionError):
        # `from None`: the parser's error holds the line.
        raise RowTextError(f'line {number} is no row; a row is {{"key": "shared/x", "values": ["v"]}}') from None


def to_line(row: TextRow) -> str:
    """Return a row as one line for people: key, tab, values separated by tabs; what would break the line is escaped."""
    return "\t".join(plain(word) for word in (row.key, *row.values))


def plain(data: bytes) -> str:
    """Return bytes as text on one line: backslashes, control characters and bytes that are no UTF-8 are escaped."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join(_escaped(char) for char in text)


def shown(data: bytes) -> object:
    """Return the JSON form of bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {_BASE64: base64.b64encode(data).decode()}


def _row(*, key: object, values: list[object], user: object = "") -> TextRow:
    if not isinstance(values, list):
        raise TypeError
    return TextRow(_bytes(key), tuple(map(_bytes, values)), _bytes(user))


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {_BASE64} and isinstance(value[_BASE64], str):
        try:
            return base64.b64decode(value[_BASE64], validate=True)
        except binascii.Error as exc:
            raise ValueError from exc
    raise TypeError


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() else char.encode("unicode_escape").decode()
