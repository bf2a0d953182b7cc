"""The value syntaxes of Dovecot 2.4's settings: boolean, number, time, size; with their complaints.

`options_24` reads with them what a script gives; every function takes text and raises `ValueSyntaxError`.

**Mirrors** settings-parser.c and str-parse.c of 2.4.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.protocol.errors import LualoftError
from workers.http.settings import UNLIMITED

_SECOND_MS: Final = 1_000
_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
_DAY_S: Final = 24 * _HOUR_S
_WEEK_S: Final = 7 * _DAY_S

#: Dovecot's uintmax_t: a longer number is no number.
_MAX_UINTMAX: Final = 2**64 - 1
_MAX_DIGITS: Final = len(str(_MAX_UINTMAX))

#: Unit -> milliseconds; any beginning of a name stands for it, the first that fits. So `m` is minutes.
_UNITS_MS: Final = (
    ("secs", _SECOND_MS),
    ("seconds", _SECOND_MS),
    ("mins", _MINUTE_S * _SECOND_MS),
    ("minutes", _MINUTE_S * _SECOND_MS),
    ("msecs", 1),
    ("mseconds", 1),
    ("millisecs", 1),
    ("milliseconds", 1),
    ("hours", _HOUR_S * _SECOND_MS),
    ("days", _DAY_S * _SECOND_MS),
    ("weeks", _WEEK_S * _SECOND_MS),
)
_SIZE_POWERS: Final = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_KIB: Final = 1024

_NUMBER: Final = re.compile(r"([0-9]+) *", re.ASCII)
_SIZE_UNIT: Final = re.compile(r"(B?|[KMGT]I?B?)", re.ASCII | re.IGNORECASE)


class ValueSyntaxError(LualoftError):
    """A text that is no value of its kind; `detail` is Dovecot's complaint."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def parse_bool(text: str) -> bool:
    """Read yes or no.

    Raises:
        ValueSyntaxError: it is something else; `true`, `false`, `0` and `n` are.
    """
    if text == "1" or _lower(text) in {"yes", "y"}:
        return True
    if _lower(text) == "no":
        return False
    raise ValueSyntaxError(f"Invalid boolean value: {text} (use yes or no)")


def parse_uint(text: str) -> int:
    """Read a number from 0 to 2^32 - 1, or `unlimited`.

    Raises:
        ValueSyntaxError: it is something else.
    """
    if text == "unlimited":
        return UNLIMITED
    number = _uintmax(text)
    if number is None or number > UNLIMITED:
        raise ValueSyntaxError(f"Invalid number {text}: {_number_problem(text)}")
    return number


def parse_time_ms(text: str) -> int:
    """Read a duration with its unit, in milliseconds.

    Raises:
        ValueSyntaxError: it has no unit, another syntax, or more than 2^32 - 1 of them.
    """
    if text in {"infinite", "unlimited"}:
        return UNLIMITED
    return _bounded(_duration_ms(text), text)


def parse_time_s(text: str) -> int:
    """Read a duration with its unit for a setting of whole seconds.

    Raises:
        ValueSyntaxError: as `parse_time_ms`, and milliseconds that are no whole seconds.
    """
    if text in {"infinite", "unlimited"}:
        return UNLIMITED
    duration_ms = _duration_ms(text)
    if duration_ms % _SECOND_MS:
        raise ValueSyntaxError(f"Milliseconds not supported for this setting: {text}")
    return _bounded(duration_ms // _SECOND_MS, text)


def parse_size_bytes(text: str) -> int:
    """Read a size: a number, and B, K, M, G or T after it.

    Raises:
        ValueSyntaxError: it has another syntax or does not fit 64 bits.
    """
    if text == "unlimited":
        return _MAX_UINTMAX
    found = _NUMBER.match(text)
    number = _uintmax(found.group(1)) if found else None
    unit = _SIZE_UNIT.fullmatch(text, found.end()) if found else None
    if number is None or unit is None:
        raise ValueSyntaxError(f"Invalid size: {text}")
    size_bytes = number * _KIB ** _SIZE_POWERS[unit.group()[:1].upper()]
    if size_bytes > _MAX_UINTMAX:
        raise ValueSyntaxError(f"Size is too large: {text}")
    return int(size_bytes)


def _duration_ms(text: str) -> int:
    found = _NUMBER.match(text)
    number = _uintmax(found.group(1)) if found else None
    if found is None or number is None:
        raise ValueSyntaxError(f"Invalid time interval: {text}")
    unit = _lower(text[found.end() :])
    if not unit:
        if number:
            raise ValueSyntaxError(f"Time interval '{text}' is missing units (add e.g. 's' for seconds)")
        return 0
    for name, unit_ms in _UNITS_MS:
        if name.startswith(unit):
            return number * unit_ms
    raise ValueSyntaxError(f"Invalid time interval: {text}")


def _bounded(duration: int, text: str) -> int:
    if duration > UNLIMITED:
        raise ValueSyntaxError(f"Time interval is too large: {text}")
    return duration


def _uintmax(text: str) -> int | None:
    """The number that the text is, None if it is none or too large."""
    digits = text.lstrip("0") or text[-1:]
    if not _is_digits(text) or len(digits) > _MAX_DIGITS:
        return None
    number = int(digits)
    return number if number <= _MAX_UINTMAX else None


def _number_problem(text: str) -> str:
    is_negative = text.startswith("-")
    if not _is_digits(text[1:] if is_negative else text):
        return "Not a valid number"
    return "Number too small" if is_negative else "Number too large"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _lower(text: str) -> str:
    # strcasecmp knows ASCII only: the Kelvin sign is no k.
    return text.lower() if text.isascii() else text
