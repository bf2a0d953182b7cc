"""The changes of a transaction, as drivers are given them: names in the database instead of dict keys.

Plain frozen values, made by `transaction`, carried out by the drivers in their order. Their `repr` shows no value.
"""

from dataclasses import dataclass, field
from typing import Final

#: Smallest and largest number that can be incremented, and result of it.
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SetChange:
    """Put a value under a name, whatever is there."""

    name: bytes
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnsetChange:
    """Remove a name; one that does not exist is no error."""

    name: bytes


@dataclass(frozen=True, slots=True)
class IncrementChange:
    """Add to the integer under a name."""

    name: bytes
    difference: int
    #: Take a missing one for 0; else the commit ends as NOT_FOUND.
    is_creating: bool


Change = SetChange | UnsetChange | IncrementChange


@dataclass(frozen=True, slots=True)
class Condition:
    """What a name held when it was read; a commit fails if it holds something else."""

    name: bytes
    #: None: it did not exist.
    values: tuple[bytes, ...] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Commit:
    """All that is to be done in one atomic step."""

    changes: tuple[Change, ...]
    #: Seconds after which what was set or incremented disappears; 0: never.
    expire_s: int = 0
    conditions: tuple[Condition, ...] = ()

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again under the same token: it only sets and unsets."""
        return not any(isinstance(change, IncrementChange) for change in self.changes)
