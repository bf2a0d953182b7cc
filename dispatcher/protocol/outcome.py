"""How an invocation ended: the closed set of ends, and the record that carries one back.

Workers make most outcomes, the dispatcher makes those of calls that no worker answered.
An outcome never holds an argument of the call, so it may be logged.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec


class OutcomeKind(StrEnum):
    """The named ends of an invocation."""

    OK = "ok"
    SCRIPT_ERROR = "script_error"
    NO_SUCH_FUNCTION = "no_such_function"
    LOAD_ERROR = "load_error"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    WORKER_LOST = "worker_lost"
    QUEUE_FULL = "queue_full"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"


#: Ends that say nothing about the script or its input: the same call may succeed later.
RETRYABLE: Final = frozenset(
    {
        OutcomeKind.DEADLINE_EXCEEDED,
        OutcomeKind.WORKER_LOST,
        OutcomeKind.QUEUE_FULL,
        OutcomeKind.UNAVAILABLE,
    }
)


class LogLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One line that the script logged during the call."""

    #: `debug`, `info`, `warning` or `error`.
    level: str
    text: str


class Outcome(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How one invocation ended.

    Values are what the function returned, in order: None, bool, int, float, bytes, list (a table
    with the keys 1..n), dict (any other table; an empty table is an empty dict). Of an auth invocation
    it is one value, an AuthResult, which arrives as a dict.
    """

    invocation_id: int
    kind: OutcomeKind
    values: list[Any] = []
    #: Why it is not `ok`: one sentence, or Lua's message and traceback. Empty for `ok`.
    error: str = ""
    logs: list[LogLine] = []
    #: Milliseconds between the caller's asking and the start of the Lua function.
    queue_ms: float = 0.0
    #: Milliseconds from the start of the Lua function to its end, waits included.
    run_ms: float = 0.0

    def __repr__(self) -> str:
        """Name the end without the values, which may be secrets of the script."""
        return f"Outcome({self.invocation_id}, {self.kind.value}, {len(self.values)} values)"

    def with_short_error(self, max_chars: int) -> Outcome:
        """Return the outcome with its error text cut to so many characters, and a note that it was."""
        if len(self.error) <= max_chars:
            return self
        return msgspec.structs.replace(self, error=f"{self.error[:max_chars]}… (cut)")

    def told_to(self, invocation_id: int) -> Outcome:
        """Return the outcome as that of another, identical invocation."""
        return msgspec.structs.replace(self, invocation_id=invocation_id)

    @property
    def is_ok(self) -> bool:
        """Did the function return?"""
        return self.kind is OutcomeKind.OK

    @property
    def is_retryable(self) -> bool:
        """May the same call succeed if it is made again?"""
        return self.kind in RETRYABLE


class OutcomeBatch(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The outcomes of one entry of a reply stream."""

    schema_version: int
    outcomes: list[Outcome]
