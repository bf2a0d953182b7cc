"""The worker's log of what scripts say: Dovecot's text form or JSON lines, on standard error.

Given to the engine by the process; a line below `log.level` is dropped.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from workers.log_sink import json_line, text_lines

if TYPE_CHECKING:
    from dispatcher.protocol.settings import LogSettings
    from workers.api.record import LogRecord

#: Lowest first.
_LEVELS: Final = (b"debug", b"info", b"warning", b"error")


class ScriptLog:
    """Writes log records of scripts."""

    def __init__(self, settings: LogSettings) -> None:
        self._wanted = frozenset(_LEVELS[_LEVELS.index(settings.level.encode()) :])
        self._is_json = settings.format == "json"

    @property
    def wants_debug(self) -> bool:
        """Are debug lines written?"""
        return b"debug" in self._wanted

    def write(self, record: LogRecord, script_name: str) -> None:
        """Write one record."""
        if record.level not in self._wanted:
            return
        now_unix_s = time.time()
        if self._is_json:
            sys.stderr.write(json_line(record, now_unix_s) + "\n")
            return
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime(now_unix_s))
        lines = text_lines(record, f"lualoft({script_name}): ", timestamp)
        sys.stderr.write("\n".join(lines) + "\n")
