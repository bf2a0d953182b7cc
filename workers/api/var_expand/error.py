"""The one error of variable expansion.

Raised by every module of this package; the Lua bindings put their own words before the detail.
"""

from __future__ import annotations

from dispatcher.protocol.errors import LualoftError


class VarExpandError(LualoftError):
    """A template that cannot be expanded.

    Args:
        detail: Dovecot's DETAIL text. Bytes, because it may quote a value that is no text.
    """

    def __init__(self, detail: bytes) -> None:
        super().__init__(detail.decode(errors="backslashreplace"))
        self.detail = detail
