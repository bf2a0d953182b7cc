"""What a driver must do; it knows names in the database and no dict keys.

`dictionary` and `transaction` call it. Two drivers exist, `redis_driver` and `memory_driver`; one test suite runs on
both. A driver never raises for trouble with its server: lookups and commits give a Result, scans a DictIterationError.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from workers.dict.change import Commit
from workers.dict.result import Result, Row


class Driver(Protocol):
    """One database with one prefix."""

    @property
    def is_ordered(self) -> bool:
        """Whether scans give names in the order of their bytes."""

    async def lookup(self, name: bytes) -> Result:
        """Return the value under a name, or the several values of a list."""

    async def commit(self, commit: Commit) -> Result:
        """Carry out all changes in one atomic step, or none."""

    def scan(self, beginning: bytes, *, is_recursive: bool, wants_values: bool) -> AsyncGenerator[list[Row], None]:
        """Yield pages of the rows whose names have this beginning, in bounded memory.

        Every name that exists throughout comes exactly once; one that comes or goes meanwhile at most once.

        Args:
            beginning: the first bytes of the names.
            is_recursive: names with a slash behind the beginning too.
            wants_values: else the rows have no values.

        Raises:
            DictIterationError: it cannot go on.
        """

    async def remaining_s(self, names: list[bytes]) -> list[int]:
        """Return the seconds until each name disappears; 0: never, or it is not there."""

    async def remove_expired(self) -> None:
        """Forget what has expired, where the server does not do it by itself."""

    async def close(self) -> None:
        """Give everything back; a second time does nothing."""
