"""The providers that every 2.4 template has: process, system, dovecot, env, event, date, time, generate.

Made by the worker for each script. Environment, clock and event fields come from outside: nothing here reads them.

Mirrors: the built-in providers of Dovecot 2.4's lib-var-expand; `time:unix` came after 2.4.4.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

from workers.api.var_expand.argument import unsupported
from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.filters_time import NANOSECONDS_PER_SECOND, unix_time
from workers.api.var_expand.identity import DOVECOT_FIELDS

_GUID_BYTES = 16
_UUID_VERSION_4 = 0x40
_UUID_VARIANT = 0x80
_TIME_FORMATS = {b"hour": "%H", b"min": "%M", b"minute": "%M", b"sec": "%S", b"second": "%S"}
_DATE_FORMATS = {b"year": "%Y", b"month": "%m", b"day": "%d"}

Provider: TypeAlias = Callable[[bytes], bytes]
#: Gives the value of an event field as text, or None.
EventField: TypeAlias = Callable[[bytes], bytes | None]


def standard_providers(
    environment: Mapping[bytes, bytes],
    event_field: EventField | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> dict[bytes, Provider]:
    """Prefix -> provider.

    Args:
        environment: for `env:NAME`, and for NCPU and DOVECOT_HOSTNAME, which override what the system says.
        event_field: for `event:NAME`; None if there is no event.
        clock_ns: nanoseconds since 1970.
    """
    return {
        b"process": _process,
        b"system": lambda field: _system(field, environment),
        b"dovecot": _dovecot,
        b"env": lambda name: _env(name, environment),
        b"event": lambda name: _event(name, event_field),
        b"date": lambda field: _date(field, clock_ns()),
        b"time": lambda field: _time(field, clock_ns()),
        b"generate": lambda field: _generate(field, hostname(environment), clock_ns()),
    }


def process_id() -> bytes:
    """The process id, for both dialects."""
    return b"%d" % os.getpid()


def hostname(environment: Mapping[bytes, bytes]) -> bytes:
    """The host name, for both dialects."""
    return environment.get(b"DOVECOT_HOSTNAME") or socket.gethostname().encode()


def _unsupported_field(field: bytes) -> VarExpandError:
    return VarExpandError(b"Unsupported field '%b'" % field)


def _process(field: bytes) -> bytes:
    match field:
        case b"pid":
            return process_id()
        case b"uid":
            return b"%d" % os.geteuid()
        case b"gid":
            return b"%d" % os.getegid()
    raise _unsupported_field(field)


def _system(field: bytes, environment: Mapping[bytes, bytes]) -> bytes:
    match field:
        case b"cpu_count":
            return environment.get(b"NCPU") or b"%d" % len(os.sched_getaffinity(0))
        case b"hostname":
            return hostname(environment)
        case b"os":
            return os.uname().sysname.encode()
        case b"os-version":
            return os.uname().release.encode()
    raise _unsupported_field(field)


def _dovecot(field: bytes) -> bytes:
    try:
        return DOVECOT_FIELDS[field]
    except KeyError:
        raise _unsupported_field(field) from None


def _env(name: bytes, environment: Mapping[bytes, bytes]) -> bytes:
    if not name:
        raise VarExpandError(b"Missing field")
    return environment.get(name, b"")


def _event(name: bytes, event_field: EventField | None) -> bytes:
    if event_field is None:
        raise VarExpandError(b"No event available")
    value = event_field(name)
    if value is None:
        raise VarExpandError(b"No such field '%b' in event" % name)
    return value


def _date(field: bytes, now_ns: int) -> bytes:
    return _local_time(_DATE_FORMATS, field, now_ns)


def _time(field: bytes, now_ns: int) -> bytes:
    seconds, nanoseconds = divmod(now_ns, NANOSECONDS_PER_SECOND)
    if field in {b"us", b"usec"}:
        return b"%d" % (nanoseconds // 1000)
    if field == b"unix":
        return unix_time(seconds, nanoseconds)
    return _local_time(_TIME_FORMATS, field, now_ns)


def _local_time(formats: Mapping[bytes, str], field: bytes, now_ns: int) -> bytes:
    if field not in formats:
        raise unsupported(field)
    return time.strftime(formats[field], time.localtime(now_ns // NANOSECONDS_PER_SECOND)).encode()


def _generate(field: bytes, host: bytes, now_ns: int) -> bytes:
    if field == b"guid":
        seconds, nanoseconds = divmod(now_ns, NANOSECONDS_PER_SECOND)
        # Dovecot counts up from the start of the process; four random bytes make it unique here.
        return b"%04x%04x%04x%b%b" % (nanoseconds, seconds, os.getpid(), os.urandom(4).hex().encode(), host)
    if field == b"guid128":
        return os.urandom(_GUID_BYTES).hex().encode()
    if not field.startswith(b"uuid"):
        raise unsupported(field)
    return _uuid(field.removeprefix(b"uuid"))


def _uuid(form: bytes) -> bytes:
    data = bytearray(os.urandom(_GUID_BYTES))
    data[6] = data[6] & 0x0F | _UUID_VERSION_4
    data[8] = data[8] & 0x3F | _UUID_VARIANT
    digits = data.hex().encode()
    if form == b":compact":
        return digits
    record = b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if form in {b"", b":record"}:
        return record
    if form == b":microsoft":
        return b"{%b}" % record
    raise unsupported(form)
