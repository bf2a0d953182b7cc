"""Text that must not be seen: keys, and addresses with passwords in them.

Settings carry it; only the place that needs the text itself (sealing, connection) calls `reveal`.
Must never give its text to `repr`, `str`, `format`, pickle or an error.
"""

import hmac
from typing import Final, NoReturn

#: What stands in place of a secret wherever it is printed.
MASK: Final = "***"


class Secret:
    """A text behind a mask: prints as `***` (as nothing if it is empty), compares by value."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __str__(self) -> str:
        return MASK if self._text else ""

    def __repr__(self) -> str:
        return MASK if self._text else "''"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # Takes the same time wherever the two differ.
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        # Pickle would write the text to wherever the pickle goes, and `copy` goes the same way.
        raise TypeError("a Secret is not pickled; settings travel by settings_to_bytes")
