"""The worker's log of what scripts say: Dovecot's text form or JSON lines, on standard error.

Given to the engine by the process; a line below `log.level` is dropped.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.errors import SettingsError
from workers.api.event_filter import EventFilterError, parse_filter
from workers.log_queue import LogQueue
from workers.log_sink import json_line, text_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import LogSettings
    from workers.api.record import LogRecord

#: Lowest first.
_LEVELS: Final = (b"debug", b"info", b"warning", b"error")


class ScriptLog:
    """Writes log records of scripts."""

    def __init__(self, settings: LogSettings) -> None:
        """Set up.

        Raises:
            SettingsError: `log.debug_filter` is no event filter.
        """
        self._wanted = frozenset(_LEVELS[_LEVELS.index(settings.level.encode()) :])
        if settings.level == "info":
            # As in Dovecot: i_debug is always logged, and a debug line of an event is made only if a filter wants it.
            self._wanted |= {b"debug"}
        self._is_json = settings.format == "json"
        self._filter = _debug_filter(settings)

    @property
    def debug_filter(self) -> Callable[[LogRecord], bool] | None:
        """Which debug lines of events are wanted; None: none at all, which costs scripts the least."""
        return self._filter

    def write(self, record: LogRecord, script_name: str) -> None:
        """Write one record."""
        if record.level not in self._wanted:
            return
        now_unix_s = time.time()
        if self._is_json:
            _write(json_line(record, now_unix_s))
            return
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(now_unix_s))
        _write("\n".join(text_lines(record, f"lualoft({script_name}): ", timestamp)))

    def print_line(self, text: bytes) -> None:
        """Write what a script printed, as it is."""
        _write(text.decode("utf-8", "backslashreplace"))


def _write(lines: str) -> None:
    stream = sys.stderr
    if isinstance(stream, LogQueue):
        stream.write_patiently(lines + "\n")
        return
    # A process without the queue has a console of its own; a full disk under it must not fail a login.
    with contextlib.suppress(OSError):
        stream.write(lines + "\n")


def _debug_filter(settings: LogSettings) -> Callable[[LogRecord], bool] | None:
    if settings.level == "debug":
        return lambda _record: True
    if not settings.debug_filter:
        return None
    try:
        return parse_filter(settings.debug_filter)
    except EventFilterError as exc:
        raise SettingsError("log.debug_filter", str(exc), allowed='an event filter such as "event=login"') from exc
