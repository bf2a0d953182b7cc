"""Dates of HTTP: written for the `Date` header, read from `Date` and `Retry-After`."""

from __future__ import annotations

import datetime as dt
import time
from email.utils import formatdate, parsedate_to_datetime


def http_date(unix_s: float | None = None) -> bytes:
    """Write a time (now if none is given) as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return formatdate(time.time() if unix_s is None else unix_s, usegmt=True).encode("ascii")


def parse_http_date(text: bytes) -> int | None:
    """Read a date in any of HTTP's three forms; Unix seconds, or None if it is none."""
    try:
        date = parsedate_to_datetime(text.decode("ascii"))
        return int((date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp())
    except (ValueError, TypeError, LookupError, OverflowError):
        # The standard library's parser was made for mail, and stumbles over garbage in more ways than one.
        return None
