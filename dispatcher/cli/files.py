"""Opens what a command reads and writes, and says in a sentence why it cannot.

`batch` and `demo` use it. `-` is standard input or output. An existing file is never overwritten by accident.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A path that stands for standard input or standard output.
STANDARD: Final = "-"

#: Output holds what people's scripts return; the mask of the user still applies.
_MODE: Final = 0o666


@contextmanager
def open_input(path: str) -> Iterator[int]:
    """Yield a descriptor to read from.

    Raises:
        click.BadParameter: there is no such file, or it cannot be read.
    """
    if path == STANDARD:
        yield 0
        return
    descriptor = _open(path, os.O_RDONLY, "INPUT")
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise click.BadParameter(f"{path}: Is a directory", param_hint="INPUT")
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_output(path: str, input_descriptor: int, *, may_overwrite: bool) -> Iterator[int]:
    """Yield a descriptor to write to.

    Args:
        path: where.
        input_descriptor: what is read meanwhile; writing to the same file would destroy it.
        may_overwrite: replace a file that exists. Devices and pipes exist anyway.

    Raises:
        click.BadParameter: it exists, is the input, or cannot be written.
    """
    if path == STANDARD:
        yield 1
        return
    descriptor = _open_to_write(path, input_descriptor, may_overwrite=may_overwrite)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_to_write(path: str, input_descriptor: int, *, may_overwrite: bool) -> int:
    try:
        present = Path(path).stat()
    except OSError:
        # Created only if it is still not there.
        return _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, "OUTPUT")
    if os.path.samestat(present, os.fstat(input_descriptor)) and stat.S_ISREG(present.st_mode):
        raise click.BadParameter(f"{path} is the input too", param_hint="OUTPUT")
    if stat.S_ISREG(present.st_mode) and not may_overwrite:
        raise click.BadParameter(f"{path} exists; --force overwrites it", param_hint="OUTPUT")
    return _open(path, os.O_WRONLY | os.O_TRUNC, "OUTPUT")


def _open(path: str, flags: int, parameter: str) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC, _MODE)
    except OSError as exc:
        raise click.BadParameter(f"{path}: {exc.strerror}", param_hint=parameter) from exc
    except ValueError as exc:
        raise click.BadParameter("a path cannot hold a NUL", param_hint=parameter) from exc


def size_of(descriptor: int) -> int:
    """Return the size of a regular file; 0 for everything else, whose end nobody knows."""
    status = os.fstat(descriptor)
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
