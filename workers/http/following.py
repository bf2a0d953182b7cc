"""What follows an answer: nothing, another attempt, or a redirect. Pure.

**Mirrors** http-client-connection.c (which answers are retried) and http-response-parser.c (Retry-After).
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final

from workers.http.exchange import EXPECTATION_FAILED, REQUEST_TIMEOUT
from workers.http.http_date import parse_http_date
from workers.http.response_head import Head

_REDIRECTION: Final = 3
_SEE_OTHER: Final = 303
_NOT_MODIFIED: Final = 304
_UNAVAILABLE: Final = 503

#: More digits are no delay that anybody waits for.
_DELAY: Final = re.compile(rb"\d{1,10}")


class Follow(enum.Enum):
    """What follows."""

    NOTHING = enum.auto()
    RETRY = enum.auto()
    RETRY_WITHOUT_EXPECT = enum.auto()
    REDIRECT = enum.auto()


@dataclass(frozen=True, slots=True)
class Next:
    """The decision."""

    kind: Follow
    #: Not before this Unix time; 0: at once.
    at_unix_s: float = 0.0
    location: bytes = b""
    #: A redirect that drops the payload.
    becomes_get: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a client's settings come to for one method."""

    max_attempts: int
    #: Of one attempt.
    timeout_s: float
    connect_timeout_s: float
    #: Of the whole request; None: none.
    absolute_timeout_s: float | None
    #: Try again after a lost connection and a time-out.
    is_retrying: bool
    is_redirecting: bool
    max_redirects: int
    #: The longest wait that Retry-After may ask for.
    max_delay_s: int


def decide(head: Head, rules: Rules, now_unix_s: float, is_expecting: bool) -> Next:  # noqa: FBT001 - one call
    """Decide what follows an answer.

    Args:
        is_expecting: the request asked for `100 Continue`.
    """
    if head.status == EXPECTATION_FAILED and is_expecting:
        return Next(Follow.RETRY_WITHOUT_EXPECT)
    if head.status == REQUEST_TIMEOUT:
        return Next(Follow.RETRY)
    if head.status == _UNAVAILABLE:
        at_unix_s = retry_after(head)
        if at_unix_s is not None and 0 < at_unix_s - int(now_unix_s) <= rules.max_delay_s:
            return Next(Follow.RETRY, at_unix_s)
    elif rules.is_redirecting and head.status // 100 == _REDIRECTION and head.status != _NOT_MODIFIED:
        return _redirect(head, rules, now_unix_s)
    return Next(Follow.NOTHING)


def _redirect(head: Head, rules: Rules, now_unix_s: float) -> Next:
    locations = head.values(b"location")
    if not locations:
        return Next(Follow.NOTHING)
    at_unix_s = retry_after(head)
    if at_unix_s is not None and at_unix_s - int(now_unix_s) > rules.max_delay_s:
        return Next(Follow.NOTHING)
    return Next(Follow.REDIRECT, at_unix_s or 0.0, locations[-1], head.status == _SEE_OTHER)


def retry_after(head: Head) -> float | None:
    """The Unix time that Retry-After names; None: there is none, or none that can be used.

    Seconds count from the answer's own Date: without one they are ignored, as in Dovecot.
    """
    values = head.values(b"retry-after")
    if not values:
        return None
    if not _DELAY.fullmatch(values[0]):
        return parse_http_date(values[0])
    dates = head.values(b"date")
    date = parse_http_date(dates[0]) if dates else None
    return None if date is None else date + int(values[0])
