"""What may be shown on a terminal, and how to say something on standard error without ever failing because of it.

Every module of the command line uses it. Texts come from Redis, from scripts and from files, so none may steer the
terminal; and no work ends early, or gets another exit code, because nobody can read what is told beside it.
"""

from __future__ import annotations

import os
import sys
from typing import Final

import click

from dispatcher.batch_json import encode_json

#: Control characters, escaped: one value stays one line.
_LINE_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}

#: The same for text of several lines.
_TEXT_ESCAPES: Final = {code: text for code, text in _LINE_ESCAPES.items() if code not in {ord("\n"), ord("\t")}}

#: Those that JSON leaves as they are, in JSON's own notation; outside strings there are none.
_JSON_ESCAPES: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}

_STDERR: Final = 2


def safe_line(text: str) -> str:
    """Return a text that may be written to a terminal, on one line."""
    return text.translate(_LINE_ESCAPES)


def safe_text(text: str) -> str:
    """Return a text that may be written to a terminal, with its lines."""
    return text.translate(_TEXT_ESCAPES)


def safe_json(value: object) -> str:
    """Return a JSON text on one line that may be written to a terminal and still means the same."""
    return encode_json(value).decode().translate(_JSON_ESCAPES)


def tell(text: str, *, nl: bool = True) -> None:
    """Write to standard error, escaped; where it cannot be written nothing happens."""
    try:
        click.echo(safe_text(text), nl=nl, err=True)
    except OSError:
        discard(_STDERR)


def discard(descriptor: int) -> None:
    """Give a standard stream up: what is buffered would fail again when Python ends, with an exit code of its own."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def is_terminal() -> bool:
    """Is standard output there, and a terminal?"""
    return sys.stdout is not None and sys.stdout.isatty()
