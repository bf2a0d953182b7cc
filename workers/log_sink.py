"""How a log record is written: in Dovecot's text form, or as one JSON object per line.

Processes that own a log call these; they are pure, take records of workers/api/record.py and write nothing.
Bytes that are no UTF-8 are shown as escapes, so that every line is text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from workers.api.record import Timestamp

if TYPE_CHECKING:
    from workers.api.record import FieldValue, LogRecord

_LEVEL_TAGS: Final = {b"debug": "Debug: ", b"info": "Info: ", b"warning": "Warning: ", b"error": "Error: "}


def text_lines(record: LogRecord, process_prefix: str = "", timestamp: str = "") -> list[str]:
    """Render a record as Dovecot prints it, without line ends.

    Args:
        record: what to render; each of its lines becomes a line with all prefixes.
        process_prefix: stands in front of the level tag unless the script replaced it.
        timestamp: stands in front of everything, with the blank that follows it.

    **Mirrors** failures.c: the level tag stands behind a replaced prefix and in front of appended ones.
    """
    prefix = process_prefix if record.head is None else _shown(record.head)
    head = timestamp + prefix + _LEVEL_TAGS[record.level]
    return [head + line for line in _shown(record.text).split("\n")]


def json_line(record: LogRecord, timestamp_unix_s: float | None = None) -> str:
    """Render a record as one JSON object, without a line end.

    Returns:
        Keys `time` (if given), `level`, `message` (prefixes included), `event`, `categories`, `fields` (values are
        strings, integers, or {"unix_s": integer}), `source` {"file", "line"}; empty ones are left out.
    """
    document: dict[str, Any] = {} if timestamp_unix_s is None else {"time": timestamp_unix_s}
    document |= {"level": _shown(record.level), "message": _shown(record.message)}
    if record.name:
        document["event"] = _shown(record.name)
    if record.categories:
        document["categories"] = [_shown(category) for category in record.categories]
    if record.fields:
        document["fields"] = {_shown(key): _json_value(value) for key, value in record.fields.items()}
    if record.file:
        document["source"] = {"file": _shown(record.file), "line": record.line}
    return json.dumps(document, ensure_ascii=False)


def _json_value(value: FieldValue) -> str | int | dict[str, int]:
    if isinstance(value, Timestamp):
        return {"unix_s": value.unix_s}
    return _shown(value) if isinstance(value, bytes) else value


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
