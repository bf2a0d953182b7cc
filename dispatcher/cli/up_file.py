"""The settings file that a running `lualoft up` leaves for other terminals of the same user, and removes at its end.

`up` writes it, `status` looks for it. It holds the key of the private server, so only this user may read it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.errors import LualoftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dispatcher.protocol.settings import Settings

#: Where a user's programs keep what lives as long as they do.
RUNTIME_VARIABLE: Final = "XDG_RUNTIME_DIR"

_NAME: Final = "up.toml"
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


class UpFileError(LualoftError):
    """The file cannot be written, or its folder is not safe to hold a key."""


def up_file_path(environ: Mapping[str, str]) -> Path:
    """Return where the file of this user is, whether it exists or not."""
    runtime = environ.get(RUNTIME_VARIABLE, "")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "lualoft" / _NAME
    return Path(tempfile.gettempdir()) / f"lualoft-{os.getuid()}" / _NAME


def is_trusted(path: Path) -> bool:
    """Tell whether an existing file was written by this user, with nobody else able to change it."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


@contextmanager
def written_up_file(settings: Settings, environ: Mapping[str, str]) -> Iterator[Path]:
    """Write the file, yield its path, remove it.

    Raises:
        UpFileError: it cannot be written.
    """
    path = up_file_path(environ)
    try:
        _make_folder(path.parent)
        path, descriptor = _claim(path)
    except OSError as exc:
        raise UpFileError(f"cannot write {path}: {exc.strerror}") from exc
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _text(settings))
        yield path
    finally:
        # Removed before the lock goes, so that nobody's new file is removed.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
    found = os.lstat(folder)
    # A name in /tmp may have been taken by somebody else.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UpFileError(f"{folder} is not a folder that only this user can write to")


def _claim(path: Path) -> tuple[Path, int]:
    """Open and lock the file; one that a killed `up` left is taken over, one in use is left alone."""
    for candidate in (path, path.with_name(f"up-{os.getpid()}.toml")):
        descriptor = os.open(candidate, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        os.fchmod(descriptor, _FILE_MODE)
        return candidate, descriptor
    raise UpFileError(f"{path} is in use")


def _text(settings: Settings) -> bytes:
    lines = (
        "# Written by `lualoft up`, removed when it ends.",
        f'key = "{settings.key.reveal()}"',
        "[redis]",
        f'url = "{settings.redis.url.reveal()}"',
        "[dispatch]",
        f'queue = "{settings.dispatch.queue}"',
        "",
    )
    return "\n".join(lines).encode()
