"""Filters on points in time: epoch, from_epoch, date, iso8601.

Called through the table in filters.py. A point in time is seconds since 1970, or `<seconds>.<nanoseconds>` as the
provider `time:unix` gives it.

Mirrors: Dovecot after 2.4.4. Its documentation (dovecot/documentation pull request 1564) describes epoch and
from_epoch. Of the output of from_epoch for parts of a second, and of date and iso8601, only the names are known. They
are inferred: from_epoch gives nanoseconds unless the unit is seconds, date takes a strftime format and is local time
like the `date` provider, iso8601 is UTC.
"""

from __future__ import annotations

import re
import time

from workers.api.var_expand.argument import Arguments, named, positional, string, unsupported
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.integer import MAX_INTEGER, parse_integer
from workers.api.var_expand.state import State

NANOSECONDS_PER_SECOND = 1_000_000_000

#: unit -> how many of it make a second
_UNITS = {b"s": 1, b"ms": 1_000, b"us": 1_000_000, b"ns": NANOSECONDS_PER_SECOND}
_TIMESTAMP = re.compile(rb"(-?[0-9]{1,19})(?:\.([0-9]{1,9}))?")
_DEFAULT_FORMAT = b"%Y-%m-%d"
#: Bytes of a format.
_MAX_FORMAT_BYTES = 256


def epoch(state: State, arguments: Arguments) -> None:
    """With unit='s': whole seconds, milliseconds, microseconds or nanoseconds."""
    per_second = _unit(state, arguments)
    state.require(b"convert to epoch")
    seconds, nanoseconds = _timestamp(state.text)
    result = seconds * per_second + nanoseconds // (NANOSECONDS_PER_SECOND // per_second)
    if abs(result) > MAX_INTEGER:
        raise VarExpandError(b"Timestamp out of range")
    state.set_text(b"%d" % result)


def from_epoch(state: State, arguments: Arguments) -> None:
    """With unit='s': the point in time that a whole number of the unit is."""
    per_second = _unit(state, arguments)
    state.require(b"convert from epoch")
    number = parse_integer(state.text)
    if number is None:
        raise VarExpandError(b"Input is not a number")
    seconds, rest = divmod(number, per_second)
    state.set_text(
        b"%d" % seconds if per_second == 1 else unix_time(seconds, rest * (NANOSECONDS_PER_SECOND // per_second))
    )


def date(state: State, arguments: Arguments) -> None:
    """With an optional format: local time, as strftime(3) writes it."""
    operands = positional(arguments, 1)
    template = string(state, operands[0]) if operands else _DEFAULT_FORMAT
    state.require(b"convert to date")
    seconds, _ = _timestamp(state.text)
    if len(template) > _MAX_FORMAT_BYTES:
        raise VarExpandError(b"Date format is too long")
    state.set_text(_formatted(template, seconds, is_local=True))


def iso8601(state: State, arguments: Arguments) -> None:
    """`2026-01-31T12:34:56Z`."""
    positional(arguments, 0)
    state.require(b"convert to iso8601")
    seconds, _ = _timestamp(state.text)
    state.set_text(_formatted(b"%Y-%m-%dT%H:%M:%SZ", seconds, is_local=False))


def unix_time(seconds: int, nanoseconds: int) -> bytes:
    """The form that `time:unix` has."""
    return b"%d.%09d" % (seconds, nanoseconds)


def _unit(state: State, arguments: Arguments) -> int:
    unit = b"s"
    for key, operand in named(arguments):
        if key != b"unit":
            raise unsupported(key)
        unit = string(state, operand)
    if unit not in _UNITS:
        raise VarExpandError(b"Unsupported unit '%b'" % unit)
    return _UNITS[unit]


def _timestamp(text: bytes) -> tuple[int, int]:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise VarExpandError(b"Input is not a number")
    return int(found[1]), int((found[2] or b"0").ljust(9, b"0"))


def _formatted(template: bytes, seconds: int, *, is_local: bool) -> bytes:
    try:
        moment = time.localtime(seconds) if is_local else time.gmtime(seconds)
        return time.strftime(template.decode(), moment).encode()
    except (ValueError, OverflowError, OSError) as exc:
        raise VarExpandError(b"Timestamp out of range") from exc
