"""Log lines of scripts: to the worker's log, and to the call that is running.

The engine says which task runs; the natives that scripts reach look there. It must not refer to a Lua state: a cycle
through Lua is never collected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dispatcher.protocol.outcome import LogLine
from workers.api.event_filter import make_wants_debug
from workers.api.record import LogContext, SentEvent, direct_record, event_record, host_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.api.record import LogRecord

#: Lines of one call that are written at all: a loop that logs must not fill the disk.
MAX_WRITTEN_LINES: Final = 10_000

#: Last line of a call whose script logged more than travels back.
_CUT: Final = LogLine("warning", "more log lines were left out here; the worker's log has them")
_DROPPED: Final = f"this call has logged {MAX_WRITTEN_LINES} lines; the rest is dropped"


class HasLogs(Protocol):
    """A task that collects lines."""

    logs: list[LogLine] | None
    #: Lines that it logged, those that do not travel included.
    line_count: int


class CallLog:
    """Where a script's log lines go."""

    def __init__(
        self,
        max_lines: int,
        max_line_bytes: int,
        write: Callable[[LogRecord, str], None],
        debug_filter: Callable[[LogRecord], bool] | None = None,
    ) -> None:
        """Set up.

        Args:
            max_lines: lines of one task that travel back.
            max_line_bytes: where such a line is cut.
            write: the worker's log; is given the record and the script's name.
            debug_filter: which debug lines of events are wanted; None: none.
        """
        self._max_lines = max_lines
        self._max_line_bytes = max_line_bytes
        self._write = write
        self._debug_filter = debug_filter
        self._running: HasLogs | None = None

    def enter(self, task: HasLogs | None) -> None:
        """Note whose code runs from here on."""
        self._running = task

    def natives(self, script_name: str) -> dict[str, Callable[..., object]]:
        """Return what a script of this name logs with: `log`, `log_event`, `wants_debug` (see LuaState)."""
        context = LogContext(script_name=script_name.encode("utf-8", "surrogateescape"))

        def log(level: bytes, text: bytes) -> None:
            self._take(script_name, direct_record(level, text))

        def log_event(*sent: Any) -> None:  # noqa: ANN401 - the fields of SentEvent
            self._take(script_name, event_record(context, SentEvent(*sent)))

        natives: dict[str, Callable[..., object]] = {"log": log, "log_event": log_event}
        if self._debug_filter is not None:
            # Without this native, Lua drops debug lines of events before it renders them.
            natives["wants_debug"] = make_wants_debug(self._debug_filter, context)
        return natives

    def write(self, script_name: str, level: str, text: bytes) -> None:
        """Log what the host itself has to say about the running task."""
        self._take(script_name, host_record(level.encode(), text))

    def _take(self, script_name: str, record: LogRecord) -> None:
        task = self._running
        if task is None:
            self._write(record, script_name)
            return
        task.line_count += 1
        if task.line_count > MAX_WRITTEN_LINES:
            if task.line_count == MAX_WRITTEN_LINES + 1:
                self._write(host_record(b"warning", _DROPPED.encode()), script_name)
            return
        self._write(record, script_name)
        if task.logs is None:
            task.logs = []
        if len(task.logs) < self._max_lines:
            text = record.message[: self._max_line_bytes].decode("utf-8", "backslashreplace")
            task.logs.append(LogLine(record.level.decode(), text))
        elif len(task.logs) == self._max_lines:
            task.logs.append(_CUT)
