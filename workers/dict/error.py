"""The errors of the dict store that are no results: wrong keys, wrong use, and iterations that cannot go on.

The texts are Dovecot's where it has one; scripts compare them.
"""

from typing import ClassVar

from dispatcher.protocol.errors import EXIT_TEMPORARY, LualoftError


class DictError(LualoftError):
    """Something that a dict cannot do."""


class DictKeyError(DictError):
    """A key, path or user name that breaks the rules."""


class DictStateError(DictError):
    """A transaction that was committed or rolled back before."""


class DictTimestampError(DictError):
    """A timestamp that is set twice, after a change, or not above 0."""


class DictIterationError(DictError):
    """An iteration that cannot go on; the rows before it were right."""

    exit_code: ClassVar[int] = EXIT_TEMPORARY
