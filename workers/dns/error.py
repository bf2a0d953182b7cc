"""Why a name has no addresses: getaddrinfo's codes with the C library's words, which is what Dovecot's dns-client says.

**Mirrors** net_gethosterror (Dovecot 2.3, 2.4) and gai_strerror (glibc).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from dispatcher.protocol.errors import LualoftError


class ResolveCode(IntEnum):
    """Codes of getaddrinfo on Linux; scripts see the number."""

    #: There is no such name.
    NONAME = -2
    #: The servers could not say; trying again later may help.
    AGAIN = -3
    #: Nobody could be asked, or the question makes no sense.
    FAIL = -4
    #: The name exists and has no address.
    NODATA = -5


_WORDS: Final = {
    ResolveCode.NONAME: "Name or service not known",
    ResolveCode.AGAIN: "Temporary failure in name resolution",
    ResolveCode.FAIL: "Non-recoverable failure in name resolution",
    ResolveCode.NODATA: "No address associated with hostname",
}


class ResolveError(LualoftError):
    """A lookup without addresses."""

    def __init__(self, code: ResolveCode, text: str = "") -> None:
        """Say why; without a text the C library's words for the code."""
        super().__init__(text or _WORDS[code])
        self.code = code
        self.text = text or _WORDS[code]

    @property
    def is_final(self) -> bool:
        """Is it an answer about the name, rather than a failure to get one?"""
        return self.code in (ResolveCode.NONAME, ResolveCode.NODATA)


def timed_out(elapsed_s: float) -> ResolveError:
    """Return the error of a lookup that took too long, in Dovecot's words."""
    return ResolveError(ResolveCode.FAIL, f"Lookup timed out in {elapsed_s:.3f} secs")
