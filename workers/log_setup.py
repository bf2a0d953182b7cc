"""Where a process of the pool writes its log, and in what form.

The only importer of structlog on this side. Called once at the start of each process; everyone else uses `logging`.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from dispatcher.protocol.settings import LogSettings

_SHARED: Final = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def set_up_logging(settings: LogSettings) -> None:
    """Send everything to standard error as text lines or JSON lines, from `settings.level` up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings.format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    # RQ logs each job's life at info; a chunk is an implementation detail.
    logging.getLogger("rq").setLevel(logging.WARNING)


def _renderers(form: str) -> list[structlog.typing.Processor]:
    # Plain tracebacks in both: the pretty ones show local variables, and those hold passwords.
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)]
