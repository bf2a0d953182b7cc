"""Remembers which names came already, in bounded memory: beyond a few megabytes in a temporary file.

SCAN may give a name twice when the server resizes its table, and does not say so. Digests of 128 bits with a random key
stand for the names, so that long ones cost no more. Blocking for milliseconds: called on a thread once the file is
used.
"""

import secrets
import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from workers.dict.spill_file import SpillFile

#: Names that are kept in memory.
MAX_IN_MEMORY: Final = 20_000
_DIGEST_BYTES: Final = 16


class SeenNames:
    """A set of names that only grows."""

    def __init__(self, max_in_memory: int = MAX_IN_MEMORY) -> None:
        self._key = secrets.token_bytes(16)
        self._max_in_memory = max_in_memory
        self._digests: set[bytes] = set()
        self._file: SpillFile | None = None

    @property
    def is_on_disk(self) -> bool:
        """Whether `new_of` may block for the disk."""
        return self._file is not None

    def new_of(self, names: list[bytes]) -> list[bytes]:
        """Return those that did not come before, each once, and remember them."""
        digests = {blake2b(name, digest_size=_DIGEST_BYTES, key=self._key).digest(): name for name in names}
        if self._file is None:
            fresh = [name for digest, name in digests.items() if digest not in self._digests]
            self._digests.update(digests)
            if len(self._digests) > self._max_in_memory:
                self._spill()
            return fresh
        return self._file.run(lambda database: _new_on_disk(database, digests))

    def close(self) -> None:
        """Give the file back; a second time does nothing."""
        self._digests.clear()
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        self._file = SpillFile("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._file.run(lambda database: _insert(database, self._digests))
        self._digests = set()


def _new_on_disk(database: sqlite3.Connection, digests: dict[bytes, bytes]) -> list[bytes]:
    database.execute("SAVEPOINT page")
    if _insert(database, digests) < len(digests):
        # Some came before; which ones, only one by one tells. This is rare.
        database.execute("ROLLBACK TO page")
        digests = {digest: name for digest, name in digests.items() if _insert(database, [digest])}
    database.execute("RELEASE page")
    return list(digests.values())


def _insert(database: sqlite3.Connection, digests: Iterable[bytes]) -> int:
    # In order: neighbours lie on one page of the file.
    rows = [(digest,) for digest in sorted(digests)]
    return database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", rows).rowcount
