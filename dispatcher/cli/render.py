"""How `lualoft run` shows an outcome: values for people, or one JSON object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dispatcher.batch_json import encode_json, log_lines, to_json
from dispatcher.cli.terminal import safe_json, safe_line, tell

if TYPE_CHECKING:
    from dispatcher.catalog import Script
    from dispatcher.protocol.outcome import Outcome


def print_human(outcome: Outcome) -> None:
    """Print the values to standard output; log lines and the error to standard error."""
    for line in outcome.logs:
        tell(f"{line.level}: {line.text}")
    for value in outcome.values:
        click.echo(value_text(value))
    if not outcome.is_ok:
        tell(f"lualoft: {outcome.kind.value}: {outcome.error}")


def print_json(outcome: Outcome, script: Script) -> None:
    """Print the outcome as one JSON object on one line."""
    shown = {
        "id": outcome.invocation_id,
        "outcome": outcome.kind.value,
        "values": [to_json(value) for value in outcome.values],
        "error": outcome.error,
        "logs": log_lines(outcome),
        "script": {"name": script.name, "digest": script.digest},
        "queue_ms": round(outcome.queue_ms, 3),
        "run_ms": round(outcome.run_ms, 3),
    }
    click.echo(safe_json(shown))


def value_text(value: object) -> str:
    """Return a value on one line: as Lua would print it, tables as JSON."""
    if isinstance(value, bytes):
        return safe_line(value.decode("utf-8", "backslashreplace"))
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        # JSON escapes the control characters below 0x20 itself.
        return safe_line(encode_json(to_json(value)).decode())
    return str(value)
