"""How `lualoft run` shows an outcome: values for people, or one JSON object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from dispatcher.batch_json import encode_json, log_lines, to_json

if TYPE_CHECKING:
    from dispatcher.catalog import Script
    from dispatcher.protocol.outcome import Outcome

#: Control characters are shown escaped: one value stays one line, and none can steer the terminal.
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}

#: Control characters that an error or a log line may keep: they are text of several lines.
_TEXT_ESCAPES: Final = {code: text for code, text in _ESCAPES.items() if code not in {ord("\n"), ord("\t")}}


def print_human(outcome: Outcome) -> None:
    """Print the values to standard output; log lines and the error to standard error."""
    for line in outcome.logs:
        click.echo(f"{line.level}: {safe_text(line.text)}", err=True)
    for value in outcome.values:
        click.echo(value_text(value))
    if not outcome.is_ok:
        click.echo(f"lualoft: {outcome.kind.value}: {safe_text(outcome.error)}", err=True)


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
    click.echo(encode_json(shown))


def value_text(value: object) -> str:
    """Return a value on one line: as Lua would print it, tables as JSON."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").translate(_ESCAPES)
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        # JSON escapes the control characters below 0x20 itself.
        return encode_json(to_json(value)).decode().translate(_ESCAPES)
    return str(value)


def safe_text(text: str) -> str:
    """Return text of a script that may be written to a terminal."""
    return text.translate(_TEXT_ESCAPES)
