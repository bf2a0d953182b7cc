"""Reads a password without showing it to anybody: from a file, from standard input, or at the terminal.

The commands of both sides use it (`pw`, `auth test`), and this is the only room that both may import. It decides
nothing about passwords; no error of it ever holds one.
"""

from __future__ import annotations

import getpass
import io
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.bounded_file import read_bounded
from dispatcher.protocol.errors import EXIT_USAGE, LualoftError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A longer password is none but the wrong file.
MAX_PASSWORD_BYTES: Final = 64 * 1024

#: Of a whole password file: only its first line counts, and a note may stand below it.
_MAX_FILE_BYTES: Final = 2 * MAX_PASSWORD_BYTES


class PasswordInputError(LualoftError):
    """There is no password where one was to be read."""

    exit_code = EXIT_USAGE


def has_terminal() -> bool:
    """Is there a terminal to ask at?"""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_password(question: str, retype_question: str = "") -> bytes:
    """Ask at the terminal, without echo.

    Args:
        question: as `Enter password: `.
        retype_question: asked too if given, until both answers are the same.

    Raises:
        PasswordInputError: the terminal has gone, or the end of file was typed.
    """
    while True:
        first = _ask(question)
        if not retype_question or _ask(retype_question) == first:
            return first
        _tell("The two passwords differ, once more.")


def password_from_stdin() -> bytes:
    """Return the next line of standard input without its end.

    Raises:
        PasswordInputError: there is none, or it is too long.
    """
    if sys.stdin is None:
        raise PasswordInputError("standard input is closed, so there is no password")
    try:
        line = sys.stdin.buffer.readline(MAX_PASSWORD_BYTES + len(b"\r\n") + 1)
    except OSError as exc:
        raise PasswordInputError(f"standard input cannot be read: {exc.strerror}") from exc
    return _line(line, "standard input")


def password_from_file(path: str) -> bytes:
    """Return the first line of a file, or of a pipe as `<(...)` makes one, without its end.

    Raises:
        PasswordInputError: there is none, it is too long, or the file cannot be read.
    """
    try:
        content = read_bounded(path, _MAX_FILE_BYTES, may_be_pipe=True)
    except OSError as exc:
        raise PasswordInputError(f"the password file {path} cannot be read: {exc.strerror}") from exc
    return _line(io.BytesIO(content).readline(), path)


def _line(line: bytes, place: str) -> bytes:
    # An empty line is an empty password; no line at all is a mistake.
    if not line:
        raise PasswordInputError(f"{place} has no line for the password")
    password = line.removesuffix(b"\n").removesuffix(b"\r")
    if len(password) > MAX_PASSWORD_BYTES:
        raise PasswordInputError(f"the password in {place} has more than {MAX_PASSWORD_BYTES} bytes")
    return password


def _ask(question: str) -> bytes:
    try:
        with _interrupts_raise():
            text = getpass.getpass(question, sys.stderr)
    except (EOFError, OSError) as exc:
        raise PasswordInputError("no password was typed") from exc
    except UnicodeDecodeError:
        # `from None`: that error holds the password.
        raise PasswordInputError("the terminal's text is not in its encoding; give the password in a file") from None
    return text.encode(errors="surrogateescape")


@contextmanager
def _interrupts_raise() -> Iterator[None]:
    """Have Ctrl-C raise while the terminal is without echo: as the plain end of the process it would stay so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
