"""The errors of the dict store that are no results: wrong keys, wrong use, and iterations that cannot go on.

The texts are Dovecot's where it has one; scripts compare them.
"""

from collections.abc import Iterable
from typing import ClassVar

from dispatcher.protocol.errors import EXIT_TEMPORARY, EXIT_USAGE, LualoftError


class DictError(LualoftError):
    """Something that a dict cannot do."""


class DictKeyError(DictError):
    """A key, path or user name that breaks the rules."""

    exit_code: ClassVar[int] = EXIT_USAGE


class DictNotFoundError(DictError):
    """The name of a dict that the settings do not have."""

    exit_code: ClassVar[int] = EXIT_USAGE

    def __init__(self, name: str, known_names: Iterable[str]) -> None:
        """Name the dict that was asked for and those that exist."""
        known = ", ".join(sorted(known_names)) or "none"
        super().__init__(f"there is no dict {name!r} in the settings; known dicts: {known}")


class DictStateError(DictError):
    """A transaction that was committed or rolled back before."""


class DictTimestampError(DictError):
    """A timestamp that is set twice, after a change, or not above 0."""


class DictIterationError(DictError):
    """An iteration that cannot go on; the rows before it were right."""

    exit_code: ClassVar[int] = EXIT_TEMPORARY
