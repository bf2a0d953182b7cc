"""Log lines of scripts: to the worker's log, and to the call that is running.

The engine says which task runs; the natives that scripts reach look there. It must not refer to a Lua state: a cycle
through Lua is never collected.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from dispatcher.protocol.outcome import LogLine
from workers.api.event_filter import make_wants_debug
from workers.api.record import LogContext, SentEvent, direct_record, event_record, host_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.api.record import LogRecord

#: Lines and bytes of one call that are written at all: a loop that logs must not fill the disk, nor one text of line
#: breaks, in front of each of which a prefix is put.
MAX_WRITTEN_LINES: Final = 10_000
MAX_WRITTEN_BYTES: Final = 16 * 1024 * 1024

#: Bytes that the log puts in front of a line: time, program, level.
HEAD_BYTES: Final = 64

#: Last line of a call whose script logged more than travels back.
_CUT: Final = LogLine("warning", "more log lines were left out here; the worker's log has them")
_DROPPED: Final = f"this call has logged {MAX_WRITTEN_LINES} lines or {MAX_WRITTEN_BYTES} bytes; the rest is dropped"


class HasLogs(Protocol):
    """A task that collects lines."""

    logs: list[LogLine] | None
    #: Lines that it logged, those that do not travel included, and their bytes.
    line_count: int
    log_bytes: int


class CallLog:
    """Where a script's log lines go."""

    def __init__(
        self,
        max_lines: int,
        max_line_bytes: int,
        write: Callable[[LogRecord, str], None],
        debug_filter: Callable[[LogRecord], bool] | None = None,
        print_line: Callable[[bytes], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            max_lines: lines of one task that travel back.
            max_line_bytes: where such a line is cut.
            write: the worker's log; is given the record and the script's name.
            debug_filter: which debug lines of events are wanted; None: none.
            print_line: takes what scripts print; None: Lua prints it itself, without a limit.
        """
        self._max_lines = min(max_lines, MAX_WRITTEN_LINES)
        self._max_line_bytes = max_line_bytes
        self._write = write
        self._debug_filter = debug_filter
        self._print_line = print_line
        self._running: HasLogs | None = None

    def enter(self, task: HasLogs | None) -> None:
        """Note whose code runs from here on."""
        self._running = task

    def natives(self, script_name: str) -> dict[str, Callable[..., object]]:
        """Return what a script of this name logs with: `log`, `log_event`, `wants_debug`, `print` (see LuaState)."""
        context = LogContext(script_name=script_name.encode("utf-8", "surrogateescape"))

        def log(level: bytes, text: bytes) -> None:
            self._take(script_name, direct_record(level, text))

        def log_event(*fields: Any) -> None:  # noqa: ANN401 - those of SentEvent
            sent = SentEvent(*fields)
            self._take(script_name, event_record(context, sent), len(sent.packed_fields or b""))

        natives: dict[str, Callable[..., object]] = {"log": log, "log_event": log_event}
        if self._debug_filter is not None:
            # Without this native, Lua drops debug lines of events before it renders them.
            natives["wants_debug"] = make_wants_debug(self._debug_filter, context)
        if self._print_line is not None:
            natives["print"] = partial(self._print, script_name, self._print_line)
        return natives

    def write(self, script_name: str, level: str, text: bytes) -> None:
        """Log what the host itself has to say about the running task."""
        self._take(script_name, host_record(level.encode(), text))

    def _print(self, script_name: str, print_line: Callable[[bytes], None], text: bytes) -> None:
        if self._running is None or self._count(self._running, script_name, text, head_bytes=0):
            print_line(text)

    def _take(self, script_name: str, record: LogRecord, field_bytes: int = 0) -> None:
        task = self._running
        if task is None:
            self._write(record, script_name)
            return
        if self._count(task, script_name, record.text, len(record.head or b""), field_bytes):
            self._write(record, script_name)
        if task.logs is None:
            task.logs = []
        if len(task.logs) < self._max_lines:
            text = record.message[: self._max_line_bytes].decode("utf-8", "backslashreplace")
            task.logs.append(LogLine(record.level.decode(), text))
        elif len(task.logs) == self._max_lines:
            task.logs.append(_CUT)

    def _count(self, task: HasLogs, script_name: str, text: bytes, head_bytes: int, field_bytes: int = 0) -> bool:
        """Count what a call logs; returns whether it is to be written."""
        was_full = _is_full(task)
        line_count = 1 + text.count(b"\n")
        task.line_count += line_count
        task.log_bytes += len(text) + field_bytes + line_count * (head_bytes + HEAD_BYTES)
        if not _is_full(task):
            return True
        if not was_full:
            self._write(host_record(b"warning", _DROPPED.encode()), script_name)
        return False


def _is_full(task: HasLogs) -> bool:
    return task.line_count > MAX_WRITTEN_LINES or task.log_bytes > MAX_WRITTEN_BYTES
