"""Sorts any number of rows in bounded memory: beyond a few megabytes they lie in a temporary file.

`dictionary` uses it for the SORT flags where the driver has no order of its own. Blocking: called on a thread.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final

from workers.dict.result import Row
from workers.dict.spill_file import SpillFile

#: Rows that come back at once.
PAGE_ROWS: Final = 500


class SortedRows:
    """Rows that come back in the order of their values, then of their keys."""

    def __init__(self, *, is_by_value: bool, wants_values: bool) -> None:
        self._order = "value, key" if is_by_value else "key"
        self._wants_values = wants_values
        self._cursor: sqlite3.Cursor | None = None
        self._file = SpillFile("CREATE TABLE rows (key BLOB, value BLOB, further BLOB)")

    def add(self, rows: Iterable[Row]) -> None:
        """Take some rows."""
        self._file.run(lambda database: database.executemany("INSERT INTO rows VALUES (?, ?, ?)", map(_packed, rows)))

    def next_page(self) -> list[Row]:
        """Return the next rows in their order; none at the end."""
        return [self._unpacked(*columns) for columns in self._file.run(self._fetch)]

    def close(self) -> None:
        """Give everything back; a thread that is at work is left to finish."""
        self._file.close()

    def _fetch(self, database: sqlite3.Connection) -> list[tuple[bytes, bytes, bytes]]:
        if self._cursor is None:
            self._cursor = database.execute(f"SELECT key, value, further FROM rows ORDER BY {self._order}")  # noqa: S608 - ours
        return self._cursor.fetchmany(PAGE_ROWS)

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
