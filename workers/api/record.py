"""What a script logged, as data: one record per log line, made from what the Lua files of this folder send.

The engine makes records in its natives `log` and `log_event` and hands them to a sink; nothing here writes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The category that every event of a script inherits from the script event.
LUA_CATEGORY: Final = b"lua"
#: The categories of what the auth host says.
_AUTH_CATEGORIES: Final = (b"auth",)
#: The field of the script event that holds the script's name.
SCRIPT_FIELD: Final = b"script"

_INTEGER: Final = b"i"
_TIME: Final = b"t"


class Timestamp(NamedTuple):
    """A time field, as event:add_timeval sets it: whole seconds since the epoch."""

    unix_s: int


#: What a field holds.
FieldValue = bytes | int | Timestamp


@dataclass(frozen=True, slots=True)
class LogContext:
    """What stands above a script's events: the host's own event for the running invocation, and the script event.

    Set per invocation; a record takes what the context says at the moment of the log call.
    """

    #: Name of the script: its path, stream name, or SHA-1 hex.
    script_name: bytes = b""
    #: Log prefix of the host's event; dropped if the script replaces prefixes.
    prefix: bytes = b""
    categories: tuple[bytes, ...] = ()
    fields: Mapping[bytes, FieldValue] = field(default_factory=dict)


class LogRecord(NamedTuple):
    """One log line of a script."""

    #: `debug`, `info`, `warning` or `error`.
    level: bytes
    #: What stands in front of the level tag in place of the process prefix; None where nothing replaced it.
    head: bytes | None
    #: What stands behind the level tag: prefixes and message.
    text: bytes
    #: Name of the event for this send, empty if it has none.
    name: bytes
    #: Root first.
    categories: tuple[bytes, ...]
    #: The event's fields and those it inherits.
    fields: Mapping[bytes, FieldValue]
    #: Source location of the log call: file without its folders, or `<non-file location>`; line 0 if unknown.
    file: bytes
    line: int
    #: Did set_always_log_source apply?
    is_source_wanted: bool

    @property
    def message(self) -> bytes:
        """All prefixes and the message, without the level tag."""
        return self.text if self.head is None else self.head + self.text


class SentEvent(NamedTuple):
    """The arguments of the native `log_event`, in its order."""

    level: bytes
    #: The prefix that replaced all others, None if none did.
    head: bytes | None
    text: bytes
    name: bytes | None
    file: bytes
    line: int
    is_source_wanted: bool
    #: Key, then kind letter and value, …, all separated by NULs; None if no event set a field.
    packed_fields: bytes | None


def direct_record(level: bytes, text: bytes) -> LogRecord:
    """Make the record of dovecot.i_info and its siblings, which know no event."""
    return LogRecord(level, None, text, b"", (), {}, b"", 0, is_source_wanted=False)


def host_record(level: bytes, text: bytes) -> LogRecord:
    """Make the record of what the auth host says about a request."""
    return LogRecord(level, None, text, b"", _AUTH_CATEGORIES, {}, b"", 0, is_source_wanted=False)


def event_record(context: LogContext, sent: SentEvent) -> LogRecord:
    """Make the record of one logged event.

    Args:
        context: what stands above the script's events at this moment.
        sent: what the script's events make of it.

    **Mirrors** event-log.c: a replaced prefix discards those above it; an event's field hides those above it.
    """
    fields: dict[bytes, FieldValue] = {**context.fields, SCRIPT_FIELD: context.script_name}
    if sent.packed_fields is not None:
        _add_packed(fields, sent.packed_fields)
    return LogRecord(
        level=sent.level,
        head=sent.head,
        text=context.prefix + sent.text if sent.head is None else sent.text,
        name=sent.name or b"",
        categories=(*context.categories, LUA_CATEGORY),
        fields=fields,
        file=sent.file,
        line=sent.line,
        is_source_wanted=sent.is_source_wanted,
    )


def _add_packed(fields: dict[bytes, FieldValue], packed: bytes) -> None:
    parts = packed.split(b"\0")
    for key, tagged in zip(parts[::2], parts[1::2], strict=True):
        kind, value = tagged[:1], tagged[1:]
        if kind == _INTEGER:
            fields[key] = int(value)
        elif kind == _TIME:
            fields[key] = Timestamp(int(value))
        elif value:
            fields[key] = value
        else:
            # The empty string hides the field of that name further up.
            fields.pop(key, None)
