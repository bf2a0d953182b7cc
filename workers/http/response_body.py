"""The payload of a response: how long it is, and reading it, whole, into memory.

Called by `exchange`, which has read the head. A payload that breaks off is no failure of the request: as in Dovecot the
script gets what arrived, and a line in the log says so. One over the cap is a failure, before it eats the worker.

**Mirrors** http-message-parser.c and http-transfer-chunked.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from workers.http.failure import BAD_RESPONSE, HttpFailure, PayloadTooLargeError
from workers.http.response_head import Head
from workers.http.stream import Stream

#: Payloads larger than this are refused: they would have to fit into the worker and into the Lua state.
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024

#: A chunk's size with its extensions, or one trailer, must be shorter.
_MAX_LINE_BYTES: Final = 8 * 1024
#: Trailers are thrown away, but not for ever.
_MAX_TRAILERS: Final = 100

_DIGITS: Final = re.compile(rb"\d+")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_MAX_HEX_DIGITS: Final = 16
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PRINTABLE: Final = range(0x20, 0x7F)

_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304
_INFORMATIONAL: Final = 1


@dataclass(frozen=True, slots=True)
class Framing:
    """Where a payload ends."""

    #: Known length; None: see `is_chunked`, else the end of the connection.
    length_bytes: int | None
    is_chunked: bool = False
    #: The server keeps the connection.
    is_kept: bool = True


@dataclass(frozen=True, slots=True)
class Payload:
    """What was read."""

    content: bytes
    #: Why it is not all of it; empty: it is.
    problem: str = ""
    #: Another response may follow on the connection.
    is_kept: bool = False


class _PayloadBreakError(Exception):
    """The payload ends here; its text is the problem."""


def framing(head: Head, method: bytes) -> Framing:
    """Decide from the head where the payload ends.

    Raises:
        HttpFailure: 9007, the head contradicts itself.
    """
    length_bytes = _content_length(head)
    codings = _codings(head)
    if len(head.values(b"date")) > 1:
        raise HttpFailure(BAD_RESPONSE, "Duplicate Date header")
    is_kept = _is_kept(head)
    is_empty = head.status // 100 == _INFORMATIONAL or head.status == _NO_CONTENT
    if is_empty and length_bytes:
        raise HttpFailure(
            BAD_RESPONSE, f"Unexpected Content-Length header field for {head.status} response (length={length_bytes})"
        )
    if is_empty or head.status == _NOT_MODIFIED or method == b"HEAD":
        return Framing(0, is_kept=is_kept)
    if codings and length_bytes is not None:
        raise HttpFailure(BAD_RESPONSE, "Message has both a Transfer-Encoding and a Content-Length header")
    if codings:
        return Framing(None, is_chunked=True, is_kept=is_kept)
    return Framing(length_bytes, is_kept=is_kept and length_bytes is not None)


def _content_length(head: Head) -> int | None:
    values = head.values(b"content-length")
    if len(values) > 1:
        raise HttpFailure(BAD_RESPONSE, "Duplicate Content-Length header")
    if not values:
        return None
    # More digits than 2^64 has is no length either; int() of a million digits would take long.
    if not _DIGITS.fullmatch(values[0]) or len(values[0]) > len(str(2**64)) or int(values[0]) >= 2**64:
        raise HttpFailure(BAD_RESPONSE, "Invalid Content-Length header")
    return int(values[0])


def _codings(head: Head) -> list[bytes]:
    values = head.values(b"transfer-encoding")
    codings = [coding.strip(b" \t").lower() for value in values for coding in value.split(b",")]
    codings = [coding for coding in codings if coding]
    if values and not codings:
        raise HttpFailure(BAD_RESPONSE, "Invalid Transfer-Encoding header")
    for place, coding in enumerate(codings):
        name = coding.partition(b";")[0].strip(b" \t")
        if not _TOKEN.fullmatch(name):
            raise HttpFailure(BAD_RESPONSE, "Invalid Transfer-Encoding header")
        if b"chunked" in codings[:place]:
            raise HttpFailure(BAD_RESPONSE, "Chunked Transfer-Encoding must be last")
        if coding != b"chunked":
            raise HttpFailure(BAD_RESPONSE, f"Unknown transfer coding `{name.decode('ascii')}'")
    return codings


def _is_kept(head: Head) -> bool:
    values = head.values(b"connection")
    options = [option.strip(b" \t").lower() for value in values for option in value.split(b",")]
    if values and not all(options):
        raise HttpFailure(BAD_RESPONSE, "Invalid Connection header")
    if b"close" in options:
        return False
    return head.version != (1, 0) or b"keep-alive" in options


class PayloadReader:
    """Reads one payload; `rest` is what came behind the head."""

    __slots__ = ("_buffer", "_chunks", "_max_bytes", "_place", "_size_bytes", "_stream")

    def __init__(self, stream: Stream, rest: bytes, max_bytes: int) -> None:
        self._stream = stream
        #: What arrived, and how far it is read. Not cut off at the front: a megabyte of one-byte chunks would be copied
        #: once per chunk.
        self._buffer = rest
        self._place = 0
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size_bytes = 0

    def read(self, plan: Framing) -> Payload:
        """Read all of it.

        Raises:
            HttpFailure: 9007, it is over the cap.
            TimeoutError: the stream's deadline passed.
        """
        problem = ""
        try:
            if plan.is_chunked:
                self._chunked()
            elif plan.length_bytes is None:
                self._to_the_end()
            else:
                self._sized(plan.length_bytes)
        except _PayloadBreakError as exc:
            problem = str(exc)
        # Bytes behind the payload belong to no request: such a connection cannot be trusted with another one.
        is_kept = plan.is_kept and not problem and self._place == len(self._buffer)
        return Payload(b"".join(self._chunks), problem, is_kept)

    def _sized(self, length_bytes: int) -> None:
        self._check(length_bytes)
        while self._size_bytes < length_bytes:
            wanted_bytes = length_bytes - self._size_bytes
            if not self._take(wanted_bytes):
                raise _PayloadBreakError(
                    f"Disconnected while reading message payload at offset {self._size_bytes}"
                    f" (wanted {length_bytes}): Connection closed"
                )

    def _to_the_end(self) -> None:
        while self._take(self._max_bytes + 1):
            self._check(self._size_bytes)

    def _chunked(self) -> None:
        while size_bytes := self._chunk_size():
            self._check(self._size_bytes + size_bytes)
            end_bytes = self._size_bytes + size_bytes
            while self._size_bytes < end_bytes:
                if not self._take(end_bytes - self._size_bytes):
                    raise _PayloadBreakError("Unexpected end of payload")
            if line := self._line():
                raise _PayloadBreakError(f"Expected new line after chunk data, but found {_shown(line)}")
        for _ in range(_MAX_TRAILERS):
            if not self._line():
                return
        raise _PayloadBreakError("Failed to parse chunked trailer: Excessive number of header fields")

    def _chunk_size(self) -> int:
        line = self._line()
        found = _HEX.match(line)
        if not found:
            raise _PayloadBreakError(f"Expected chunk size digit, but found {_shown(line)}")
        rest = line[found.end() :]
        if rest and not rest.startswith(b";"):
            raise _PayloadBreakError(f"Expected new line after chunk size, but found {_shown(rest)}")
        if len(found.group().lstrip(b"0")) > _MAX_HEX_DIGITS:
            raise _PayloadBreakError("Chunk size exceeds integer limit")
        return int(found.group(), 16)

    def _line(self) -> bytes:
        """One line of the chunked coding, without its end."""
        while (end := self._buffer.find(b"\n", self._place)) < 0:
            if len(self._buffer) - self._place > _MAX_LINE_BYTES:
                raise _PayloadBreakError("Invalid chunked extension value")
            data = self._received()
            if not data:
                raise _PayloadBreakError("Unexpected end of payload")
            self._buffer, self._place = self._buffer[self._place :] + data, 0
        line = self._buffer[self._place : end]
        self._place = end + 1
        return line.removesuffix(b"\r")

    def _take(self, wanted_bytes: int) -> int:
        """Take at most so many bytes into the payload; 0: there are no more."""
        if self._place == len(self._buffer):
            self._buffer, self._place = self._received(), 0
        taken = self._buffer[self._place : self._place + wanted_bytes]
        self._place += len(taken)
        if taken:
            self._chunks.append(taken)
            self._size_bytes += len(taken)
        return len(taken)

    def _received(self) -> bytes:
        try:
            return self._stream.read()
        except TimeoutError:
            raise
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise _PayloadBreakError(
                f"Disconnected while reading message payload at offset {self._size_bytes}: Connection closed:"
                f" read({self._stream.label}) failed: {reason}"
            ) from exc

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            raise PayloadTooLargeError(self._max_bytes)


def _shown(text: bytes) -> str:
    if not text:
        return "0x0d"
    byte = text[0]
    return f"'{chr(byte)}'" if byte in _PRINTABLE else f"0x{byte:02x}"
