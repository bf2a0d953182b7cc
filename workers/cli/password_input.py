"""Where a command gets a password from without showing it to anybody: a file, standard input, or a prompt.

`pw` uses it, and whatever else needs a password. Never put one into an error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Final

import click

#: Stands for standard input.
STANDARD: Final = "-"

#: A longer first line is no password but the wrong file.
_MAX_LINE_BYTES: Final = 64 * 1024


def read_password(path: str | None, *, is_new: bool) -> bytes:
    """Return a password.

    Args:
        path: file whose first line it is, `-` for standard input. None asks at the terminal, or reads standard input
            if that is no terminal.
        is_new: it is to be made a hash of: ask twice, and take no empty one, which would let everybody in.

    Raises:
        click.UsageError: there is none.
    """
    if path is None and sys.stdin is not None and sys.stdin.isatty():
        password = _ask(is_new=is_new)
    elif path is None or path == STANDARD:
        password = read_line()
    else:
        password = _read_file(path)
    if is_new and not password:
        raise click.UsageError("the password is empty")
    return password


def read_line() -> bytes:
    """Return the next line of standard input without its end."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return _line_of(sys.stdin.buffer)


def _read_file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return _line_of(file)
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}", param_hint="--password-file") from exc
    except ValueError as exc:
        raise click.BadParameter("a path cannot hold a NUL", param_hint="--password-file") from exc


def _line_of(file: BinaryIO) -> bytes:
    line = file.readline(_MAX_LINE_BYTES + 1)
    if len(line) > _MAX_LINE_BYTES:
        raise click.UsageError(f"the line of the password has more than {_MAX_LINE_BYTES} bytes")
    return line.rstrip(b"\r\n")


def _ask(*, is_new: bool) -> bytes:
    text: str = click.prompt(
        "Enter new password" if is_new else "Enter password to verify",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt="Retype new password" if is_new else False,
        err=True,
    )
    return text.encode(errors="surrogateescape")
