"""What a password scheme is: its name, how its data is written, how it checks and makes hashes.

`schemes` lists them all; each module beside it holds the functions of one family.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workers.passwords.encoding import Encoding
from workers.passwords.policy import Dialect


@dataclass(frozen=True, slots=True)
class Attempt:
    """One password to check against decoded data of a scheme. No field holds what Dovecot would have cut at a NUL."""

    plain: bytes = field(repr=False)
    #: Decoded; may hold NULs if it was hex or base64.
    data: bytes = field(repr=False)
    #: As the client typed it.
    username: bytes = b""
    is_weak_allowed: bool = False

    @property
    def text(self) -> bytes:
        """The data of a scheme that stores text: up to its first NUL."""
        return cut_at_nul(self.data)


@dataclass(frozen=True, slots=True)
class NewPassword:
    """One password to make a hash of."""

    plain: bytes = field(repr=False)
    username: bytes = b""
    #: Cost in the scheme's own unit; 0 for its default.
    rounds: int = 0


#: Returns whether the password matches. Raises MalformedError or WeakRefusedError.
Verifier = Callable[[Attempt], bool]

#: Returns raw data. Raises SchemeError or CostError.
Generator = Callable[[NewPassword], bytes]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A password scheme."""

    #: In upper case.
    name: bytes
    verify: Verifier
    generate: Generator
    encoding: Encoding = Encoding.NONE
    #: Length of the decoded data, 0 if it varies.
    raw_length_bytes: int = 0
    #: Refused by 2.4 unless it is told otherwise.
    is_weak: bool = False
    #: The only dialect that has it; EITHER if both do.
    dialect: Dialect = Dialect.EITHER

    def is_in(self, dialect: Dialect) -> bool:
        """Return whether Dovecot has the scheme in that dialect."""
        return Dialect.EITHER in {self.dialect, dialect} or self.dialect is dialect


def cut_at_nul(data: bytes) -> bytes:
    """Return what a C string would hold."""
    return data.partition(b"\0")[0]
