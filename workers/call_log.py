"""Log lines of scripts: to the worker's log, and to the call that is running.

The engine says which call runs; the natives that scripts reach look there. It must not refer to a Lua state: a cycle
through Lua is never collected.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher.protocol.outcome import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

#: Last line of a call whose script logged more than travels back.
_CUT: Final = LogLine("warning", "more log lines were left out here; the worker's log has them")


class HasLogs(Protocol):
    """A call that collects lines."""

    logs: list[LogLine] | None


class CallLog:
    """Where a script's log lines go."""

    def __init__(self, max_lines: int, max_line_bytes: int) -> None:
        self._max_lines = max_lines
        self._max_line_bytes = max_line_bytes
        self._running: HasLogs | None = None
        self._logger = logging.getLogger("lualoft.script")

    def enter(self, call: HasLogs | None) -> None:
        """Note whose code runs from here on; None while a script is loaded."""
        self._running = call

    def native(self, script_name: str) -> Callable[[bytes, bytes], None]:
        """Return the function (level, text) that a script of this name logs with."""

        def log(level: bytes, text: bytes) -> None:
            self._take(script_name, level.decode(), text.decode("utf-8", "backslashreplace"))

        return log

    def reporter(self, script_name: str) -> Callable[[str], None]:
        """Return a function that logs an error about the script itself."""

        def report(text: str) -> None:
            self._logger.error("%s: %s", script_name, text)

        return report

    def _take(self, script_name: str, level: str, text: str) -> None:
        self._logger.log(_LEVELS[level], "%s: %s", script_name, text)
        call = self._running
        if call is None:
            return
        if call.logs is None:
            call.logs = []
        if len(call.logs) < self._max_lines:
            call.logs.append(LogLine(level, _cut(text, self._max_line_bytes)))
        elif len(call.logs) == self._max_lines:
            call.logs.append(_CUT)


def _cut(text: str, limit_bytes: int) -> str:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit_bytes:
        return text
    return data[:limit_bytes].decode("utf-8", "ignore")
