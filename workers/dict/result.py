"""What a lookup or a commit came to, by name.

Drivers make results, the Lua binding and the command line read them. A failure is never a negative answer: only
NOT_FOUND says that something does not exist. `repr` shows no value.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class ResultKind(StrEnum):
    """The four ends of a lookup or a commit."""

    OK = "ok"
    #: The key does not exist; of a commit: a key that was to be incremented, and nothing was written.
    NOT_FOUND = "not_found"
    #: Nothing was written.
    FAILED = "failed"
    #: The answer was lost: the commit was carried out as a whole, or not at all.
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Result:
    """How a lookup or a commit ended."""

    kind: ResultKind
    #: The values under the key, of a lookup that is OK.
    values: tuple[bytes, ...] = field(default=(), repr=False)
    #: Why it failed, is uncertain, or what was not found.
    error: str = ""
    #: Whether a failure is one of the moment, so that trying again may help.
    is_temporary: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an iteration."""

    key: bytes
    #: Empty if no values were asked for.
    values: tuple[bytes, ...] = field(repr=False)


#: A commit that was carried out.
DONE: Final = Result(ResultKind.OK)
#: A lookup that found nothing.
MISSING: Final = Result(ResultKind.NOT_FOUND)


def failed(error: str, *, is_temporary: bool = False) -> Result:
    """Make the result of something that was surely not done."""
    return Result(ResultKind.FAILED, error=error, is_temporary=is_temporary)


def uncertain(error: str) -> Result:
    """Make the result of a commit whose answer was lost."""
    return Result(ResultKind.UNCERTAIN, error=error, is_temporary=True)
