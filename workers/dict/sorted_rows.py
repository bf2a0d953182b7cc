"""Sorts any number of rows in bounded memory: beyond a few megabytes they lie in a temporary file.

`dictionary` uses it for the SORT flags where the driver has no order of its own. Blocking: called on a thread. The
file is SQLite's private one, without a name, gone when it is closed.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self

from workers.dict.result import Row

#: Memory before the file is used, in KiB; SQLite takes a negative number for KiB.
_CACHE_KIB: Final = 4096
#: Rows that come back at once.
PAGE_ROWS: Final = 500


class SortedRows:
    """Rows that come back in the order of their values, then of their keys; a context manager."""

    def __init__(self, *, is_by_value: bool, wants_values: bool) -> None:
        self._is_by_value = is_by_value
        self._wants_values = wants_values
        self._rows: sqlite3.Cursor | None = None
        # Threads take turns: the caller awaits one call before the next.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._database.execute("CREATE TABLE rows (key BLOB, value BLOB, further BLOB)")
        self._database.execute("BEGIN")

    def add(self, rows: Iterable[Row]) -> None:
        """Take some rows."""
        self._database.executemany("INSERT INTO rows VALUES (?, ?, ?)", map(_packed, rows))

    def next_page(self) -> list[Row]:
        """Return the next rows in their order; none at the end."""
        if self._rows is None:
            order = "value, key" if self._is_by_value else "key"
            self._rows = self._database.execute(f"SELECT key, value, further FROM rows ORDER BY {order}")  # noqa: S608 - ours
        return [self._unpacked(*columns) for columns in self._rows.fetchmany(PAGE_ROWS)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _unpacked(self, key: bytes, value: bytes, further: bytes) -> Row:
        return Row(key, (value, *_split(further)) if self._wants_values else ())


def _packed(row: Row) -> tuple[bytes, bytes, bytes]:
    first, *further = row.values or (b"",)
    return row.key, first, b"".join(b"%d:%s" % (len(value), value) for value in further)


def _split(packed: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(packed):
        colon = packed.index(b":", start)
        end = colon + 1 + int(packed[start:colon])
        yield packed[colon + 1 : end]
        start = end
