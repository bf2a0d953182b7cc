"""How a request ends when no server answered it: Dovecot's internal statuses and their texts.

Every part of the client raises `HttpFailure`; only `client` catches it and makes a response of it.
"""

from __future__ import annotations

from typing import Final

from dispatcher.protocol.errors import LualoftError

ABORTED: Final = 9000
HOST_LOOKUP_FAILED: Final = 9002
#: Also: the operator's egress rules refuse the server.
CONNECT_FAILED: Final = 9003
INVALID_REDIRECT: Final = 9004
CONNECTION_LOST: Final = 9005
#: Also: the answer is over our cap.
BAD_RESPONSE: Final = 9007
TIMED_OUT: Final = 9008
#: The request holds what must not go onto the wire; the Lua objects refuse it before.
PREREQUISITE_FAILED: Final = 9009


class HttpFailure(LualoftError):  # noqa: N818 - a request's end, as Dovecot counts them, not a fault of ours
    """The end of a request or of one of its attempts."""

    def __init__(self, status: int, text: str, *, is_temporary: bool = False) -> None:
        """Build it.

        Args:
            status: one of the statuses above.
            text: what `response:reason()` returns.
            is_temporary: may another attempt help? The statistics of the request are added to its text.
        """
        super().__init__(text)
        self.status = status
        self.text = text
        self.is_temporary = is_temporary


class PayloadTooLargeError(HttpFailure):
    """An answer over the cap."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(BAD_RESPONSE, f"Response payload is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


def deadline_passed() -> HttpFailure:
    """The end of a request whose whole time is over."""
    return HttpFailure(TIMED_OUT, "Absolute request timeout expired")


def seconds(duration_s: float) -> str:
    """Write a duration as Dovecot does: `1.402`."""
    return f"{max(duration_s, 0.0):.3f}"
