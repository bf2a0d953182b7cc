"""Turns the bytes of a batch input into records: JSON lines, or CSV with a header.

Plain generators over blocks of bytes, so that memory stays bounded by one block and one line; the thread in
`batch_source` drives them. A line that is no call becomes a record that says why, and the next line goes on.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dispatcher.batch_json import CallId, JsonError, decode_call, text_or_base64
from dispatcher.protocol.errors import EXIT_USAGE, LualoftError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The column of a CSV input that names the call.
ID_COLUMN: Final = "id"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class InputError(LualoftError):
    """An input of which no line can be used."""

    exit_code = EXIT_USAGE


class Record(NamedTuple):
    """One call of a batch, or a line that is none."""

    #: Line of the input, from 1; of a CSV record that spans lines the first one.
    line: int
    id: CallId
    args: list[Any]
    #: Length of the line: what the call weighs in memory.
    size_bytes: int
    #: Why the line is no call; empty for a call.
    error: str = ""


class Line(NamedTuple):
    """One line of the input without its end."""

    number: int
    data: bytes
    #: It was longer than the limit; `data` is empty.
    is_too_long: bool = False


def lines_of(blocks: Iterable[bytes], limit_bytes: int) -> Iterator[Line]:
    """Cut blocks into lines; of a line over the limit nothing is kept."""
    number = 0
    rest = b""
    is_too_long = False
    for block in blocks:
        pieces = (rest + block).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            number += 1
            is_cut = is_too_long or len(piece) > limit_bytes
            is_too_long = False
            yield Line(number, b"" if is_cut else _without_mark(number, piece), is_cut)
        if len(rest) > limit_bytes:
            is_too_long, rest = True, b""
    if rest or is_too_long:
        yield Line(number + 1, _without_mark(number + 1, rest), is_too_long)


def _without_mark(number: int, data: bytes) -> bytes:
    return data.removeprefix(_BYTE_ORDER_MARK) if number == 1 else data


def json_records(lines: Iterable[Line], limit_bytes: int) -> Iterator[Record]:
    """Read one `{"id": ..., "args": [...]}` per line; empty lines are skipped."""
    for line in lines:
        size_bytes = len(line.data)
        if line.is_too_long:
            yield Record(line.number, None, [], 0, _too_long(limit_bytes))
            continue
        if not size_bytes or line.data.isspace():
            continue
        try:
            call = decode_call(line.data)
        except JsonError as exc:
            yield Record(line.number, None, [], size_bytes, f"the line is not a call: {exc}")
        else:
            yield Record(line.number, call.id, call.args, size_bytes)


def csv_records(lines: Iterable[Line], limit_bytes: int) -> Iterator[Record]:
    """Read CSV: the column `id` names the call, the other columns are its arguments in order, all of them text.

    Bytes that are not UTF-8 reach the script unchanged.

    Raises:
        InputError: there is no header, or it names no column `id`.
    """
    csv.field_size_limit(limit_bytes)
    source = _CsvLines(lines)
    reader = csv.reader(source, strict=True)
    header = _header(reader)
    index = header.index(ID_COLUMN)
    while True:
        source.begin_record()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Record(source.first_line, None, [], source.size_bytes, f"the line is not CSV: {exc}")
            continue
        if source.has_too_long:
            yield Record(source.first_line, None, [], 0, _too_long(limit_bytes))
        elif row:
            yield _csv_record(source, row, len(header), index)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as exc:
        raise InputError(f"the header of the CSV input cannot be read: {exc}") from exc
    if ID_COLUMN not in header:
        raise InputError(f"the first line of a CSV input names its columns; one of them must be {ID_COLUMN!r}")
    return header


def _csv_record(source: _CsvLines, row: list[str], columns: int, index: int) -> Record:
    if len(row) != columns:
        error = f"the line has {len(row)} columns, the header has {columns}"
        return Record(source.first_line, None, [], source.size_bytes, error)
    call_id = text_or_base64(row.pop(index).encode("utf-8", "surrogateescape"))
    return Record(source.first_line, call_id, row, source.size_bytes)


def _too_long(limit_bytes: int) -> str:
    return f"the line is longer than {limit_bytes} bytes"


class _CsvLines:
    """Lines as the csv module wants them, counted per record; a quoted field may span several."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self.begin_record()

    def begin_record(self) -> None:
        """Forget the lines of the record before."""
        self.first_line = 0
        self.size_bytes = 0
        self.has_too_long = False

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.first_line = self.first_line or line.number
        self.size_bytes += len(line.data)
        self.has_too_long |= line.is_too_long
        return line.data.decode("utf-8", "surrogateescape") + "\n"
