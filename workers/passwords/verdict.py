"""What a check of a password came to, and the errors by which a scheme says that it cannot check.

`check` turns the errors of schemes into verdicts; callers see verdicts only. Never holds a password or a hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatcher.protocol.errors import EXIT_USAGE, LualoftError


class Verdict(StrEnum):
    """The kinds of results; Dovecot's number for each is in `RESULTS`."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN_SCHEME = "unknown_scheme"
    #: Hex or base64 that does not decode, or to the wrong length.
    UNDECODABLE = "undecodable"
    #: Data that is not of the scheme's form.
    MALFORMED = "malformed"
    #: Not computed: its cost is over our limits, or there is no memory. It says nothing about the password.
    NOT_COMPUTED = "not_computed"
    WEAK_REFUSED = "weak_refused"


#: Number that `request:password_verify` returns. An unknown scheme counts as a mismatch there.
RESULTS: Final = {
    Verdict.MATCH: 1,
    Verdict.MISMATCH: 0,
    Verdict.UNKNOWN_SCHEME: 0,
    Verdict.UNDECODABLE: -1,
    Verdict.MALFORMED: -1,
    Verdict.NOT_COMPUTED: -1,
    Verdict.WEAK_REFUSED: -1,
}

MISMATCH_TEXT: Final = b"Password mismatch"


@dataclass(frozen=True, slots=True)
class Verification:
    """The end of a check."""

    verdict: Verdict
    #: Dovecot's text for it, empty on a match. Bytes: it echoes the name of the scheme as it was stored.
    error: bytes = b""

    @property
    def result(self) -> int:
        """1 match, 0 mismatch or unknown scheme, -1 data that cannot be used or a refused scheme."""
        return RESULTS[self.verdict]

    @property
    def is_match(self) -> bool:
        """Whether the password is right; the only case in which it may be let in."""
        return self.verdict is Verdict.MATCH


class UndecodableError(LualoftError):
    """Stored data is not valid hex or base64, or decodes to the wrong length."""


class MalformedError(LualoftError):
    """Stored data is not of the form that its scheme asks for."""


class NotComputedError(MalformedError):
    """A hash that could not be computed, whatever its form."""


class CostError(NotComputedError):
    """A hash whose cost parameters are over our limits; it is refused before any work is done."""

    exit_code = EXIT_USAGE

    def __init__(self, what: str, limit: int) -> None:
        """Name the parameter and its limit, never the hash."""
        super().__init__(f"Password hash refused: {what} is over the limit of {limit}")
        self.what = what
        self.limit = limit


class WeakRefusedError(LualoftError):
    """A weak hash inside a scheme that is not weak by itself, while weak ones are refused."""


class SchemeError(LualoftError):
    """A hash cannot be made: unknown scheme, missing user name, impossible number of rounds."""

    exit_code = EXIT_USAGE
