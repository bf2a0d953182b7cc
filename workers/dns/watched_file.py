"""A system file that is read again when it has changed: /etc/hosts, /etc/resolv.conf.

Looked at once a second at most. A file that is not there or cannot be read counts as empty, as in the C library.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Pause between two looks whether the file has changed.
LOOK_EVERY_S: Final = 1.0

#: More than this is not read: the files are small, and a worker waits while it reads.
MAX_FILE_BYTES: Final = 1024 * 1024


class WatchedFile(Generic[T]):
    """What a file says now. Used on one thread."""

    def __init__(self, path: str, parse: Callable[[str], T], look_every_s: float = LOOK_EVERY_S) -> None:
        self._path = Path(path)
        self._parse = parse
        self._look_every_s = look_every_s
        self._looked_s = 0.0
        self._identity: tuple[int, int, int] | None = None
        self._content = parse("")

    def read(self) -> T:
        """Return the parsed content."""
        now_s = time.monotonic()
        if not self._looked_s or now_s - self._looked_s >= self._look_every_s:
            self._looked_s = now_s
            self._look()
        return self._content

    def _look(self) -> None:
        try:
            stat = self._path.stat()
            identity = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if identity != self._identity:
                with self._path.open("rb") as file:
                    text = file.read(MAX_FILE_BYTES).decode("utf-8", "surrogateescape")
                self._content, self._identity = self._parse(text), identity
        except OSError:
            self._content, self._identity = self._parse(""), None
