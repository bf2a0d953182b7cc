"""The head of a response: status line and header fields, read line by line with Dovecot's limits and complaints.

Pure: `exchange` feeds it what arrived. http.client's own reader is no choice: it takes what Dovecot refuses, has limits
of its own, and words nothing the way scripts match it.

**Mirrors** http-response-parser.c and http-header-parser.c, the lenient form that the client uses: a line may end in LF
alone, and characters that do not belong into a value are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from workers.http.failure import BAD_RESPONSE, HttpFailure

#: What a complaint shows of the text that it is about.
_SHOWN_BYTES: Final = 20
_SHOWN_NAME_BYTES: Final = 64

_VERSION: Final = re.compile(rb"HTTP/(\d)\.(\d)")
_VERSION_BYTES: Final = len(b"HTTP/1.1")
_STATUS: Final = re.compile(rb"[1-5]\d\d")
_STATUS_BYTES: Final = 3
_REASON: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_TEXT: Final = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")
_BLANKS: Final = b" \t"
_PRINTABLE: Final = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How large a head may be; 0: any size."""

    #: All fields together with the empty line, without the status line.
    max_size_bytes: int
    #: One field with its line end and its continuation lines.
    max_field_size_bytes: int
    max_fields: int


@dataclass(slots=True)
class Head:
    """A head that was read."""

    version: tuple[int, int]
    status: int
    reason: bytes
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, lower_name: bytes) -> list[bytes]:
        """All values of a field, in order."""
        return [value for name, value in self.fields if name.lower() == lower_name]


class HeadReader:
    """Reads one head from bytes that arrive in pieces."""

    __slots__ = ("_buffer", "_field_bytes", "_fields_bytes", "_head", "_limits", "_place")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._buffer = b""
        self._place = 0
        self._head: Head | None = None
        #: Size of the fields so far, and of the field that the last line belongs to.
        self._fields_bytes = 0
        self._field_bytes = 0

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """Take what arrived.

        Returns:
            The head and what came behind it; None while the head is not complete.

        Raises:
            HttpFailure: 9007, this is no head, or a limit is reached.
        """
        self._buffer = self._buffer[self._place :] + data
        self._place = 0
        while (end := self._buffer.find(b"\n", self._place)) >= 0:
            line = self._buffer[self._place : end + 1]
            if self._head is None:
                self._head = _status_line(self._buffer[self._place :])
                self._place = end + 1
                continue
            self._place = end + 1
            self._count(line)
            if line in {b"\r\n", b"\n"}:
                return self._head, self._buffer[self._place :]
            self._field(self._head, line)
        self._check_rest()
        return None

    def _count(self, line: bytes) -> None:
        """Look at the limits before a line is read."""
        limits = self._limits
        is_continuation = line[:1] in {b" ", b"\t"}
        self._fields_bytes += len(line)
        self._field_bytes = len(line) + (self._field_bytes if is_continuation else 0)
        if limits.max_size_bytes and self._fields_bytes > limits.max_size_bytes:
            raise _bad_header("Excessive header size")
        if limits.max_field_size_bytes and self._field_bytes > limits.max_field_size_bytes:
            raise _bad_header("Excessive header field size")

    def _check_rest(self) -> None:
        """Look at a line that has not ended: garbage and endless lines are not waited for."""
        rest = self._buffer[self._place :]
        if self._head is not None:
            size_bytes, field_bytes = self._fields_bytes, self._field_bytes
            self._count(rest)
            self._fields_bytes, self._field_bytes = size_bytes, field_bytes
        elif len(rest) >= _VERSION_BYTES:
            _version(rest)
            if self._limits.max_size_bytes and len(rest) > self._limits.max_size_bytes:
                raise HttpFailure(BAD_RESPONSE, "HTTP status line is too long")

    def _field(self, head: Head, line: bytes) -> None:
        if line[:1] in {b" ", b"\t"} and head.fields:
            name, value = head.fields[-1]
            head.fields[-1] = name, (value + b" " + _content(line, name)).strip(_BLANKS)
            return
        found = _NAME.match(line)
        if not found:
            raise _bad_header("Empty header field name")
        name = found.group()
        colon = found.end()
        if line[colon : colon + 1] != b":":
            raise _bad_header(
                f"Expected ':' after header field name '{_shown_name(name)}', but found {_byte(line, colon)}"
            )
        if self._limits.max_fields and len(head.fields) >= self._limits.max_fields:
            raise _bad_header("Excessive number of header fields")
        head.fields.append((name, _content(line[colon + 1 :], name)))


def _content(line: bytes, name: bytes) -> bytes:
    """The value on a line, with the line's end."""
    content = line[:-2] if line.endswith(b"\r\n") else line[:-1]
    stray = content.find(b"\r")
    if stray >= 0:
        found = _byte(line, stray + 1)
        raise _bad_header(f"Expected LF after CR at end of header field '{_shown_name(name)}', but found {found}")
    if _NOT_TEXT.search(content):
        content = _NOT_TEXT.sub(b"", content)
    return content.strip(_BLANKS)


def _status_line(text: bytes) -> Head:
    """Read the status line that `text` begins with; it holds the line's end."""
    version = _version(text)
    place = _VERSION_BYTES
    if text[place : place + 1] != b" ":
        raise HttpFailure(BAD_RESPONSE, f"Expected ' ' after response version, but found {_shown(text[place:])}")
    place += 1
    status = text[place : place + _STATUS_BYTES]
    if not _STATUS.fullmatch(status):
        raise HttpFailure(BAD_RESPONSE, "Invalid HTTP status code in response")
    place += _STATUS_BYTES
    if text[place : place + 1] != b" ":
        raise HttpFailure(BAD_RESPONSE, f"Expected ' ' after response status code, but found {_shown(text[place:])}")
    found = _REASON.match(text, place + 1)
    reason = found.group() if found else b""
    rest = text[place + 1 + len(reason) :]
    if not rest.startswith((b"\r\n", b"\n")):
        raise HttpFailure(
            BAD_RESPONSE, f"Expected line end after response, but found {_shown(rest.removeprefix(bytes([13])))}"
        )
    return Head(version, int(status), reason)


def _version(text: bytes) -> tuple[int, int]:
    found = _VERSION.match(text)
    if not found:
        raise HttpFailure(BAD_RESPONSE, f"Invalid HTTP version in response: {_shown(text)}")
    return int(found.group(1)), int(found.group(2))


def _bad_header(text: str) -> HttpFailure:
    return HttpFailure(BAD_RESPONSE, f"Failed to parse header: {text}")


def _shown(text: bytes) -> str:
    """The beginning of a text, printable: `hello'<CR><LF>."""
    shown = ""
    is_open = False
    for byte in text[:_SHOWN_BYTES]:
        is_printable = byte in _PRINTABLE
        if is_printable != is_open:
            shown += "`" if is_printable else "'"
            is_open = is_printable
        shown += chr(byte) if is_printable else {0x0A: "<LF>", 0x0D: "<CR>"}.get(byte, f"<0x{byte:02x}>")
    return shown + "'" if is_open else shown


def _shown_name(name: bytes) -> str:
    return name[:_SHOWN_NAME_BYTES].decode("ascii")


def _byte(text: bytes, place: int) -> str:
    byte = text[place]
    return f"'{chr(byte)}'" if byte in _PRINTABLE else f"0x{byte:02x}"
