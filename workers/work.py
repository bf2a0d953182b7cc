"""A chunk inside a worker, from taking to its last outcome.

The taking thread makes it, the engine counts it down, the outbox finishes it. It holds no Redis and no Lua.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dispatcher.protocol.invocation import Invocation, ScriptPackage
    from dispatcher.protocol.outcome import Outcome


@dataclass(slots=True, eq=False)
class TakenChunk:
    """The invocations of one RQ job that this worker has begun."""

    reply_key: str
    invocations: list[Invocation]
    #: Package id -> package, for every script that the invocations name and Redis has.
    packages: dict[bytes, ScriptPackage]
    #: RQ's own handle of the job; opaque outside rq_books.py.
    ticket: object
    attempt: int = 1
    #: Invocations without an outcome yet.
    left: int = 0
    #: Ids of those begun that must not run twice.
    begun: set[int] = field(default_factory=set)
    #: Ids that have their outcome; what is missing here is given back when the worker stops.
    answered: set[int] = field(default_factory=set)
    _by_id: dict[int, Invocation] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Nothing is answered yet."""
        self.left = len(self.invocations)
        self._by_id = {invocation.id: invocation for invocation in self.invocations}

    def note_answered(self, invocation_id: int) -> None:
        """Note that an outcome was delivered, and forget the call's arguments: they may hold a password.

        Not sooner: until then the call may have to be given back, whole.
        """
        self.answered.add(invocation_id)
        self.left -= 1
        invocation = self._by_id.pop(invocation_id, None)
        if invocation is not None:
            invocation.args.clear()


class Answer(NamedTuple):
    """An outcome on its way to the reply stream of its chunk."""

    chunk: TakenChunk
    outcome: Outcome


class InFlight:
    """How many invocations a worker has taken and not yet answered; the taking thread waits here when it is full."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        """Invocations taken and not answered."""
        return self._count

    def add(self, count: int) -> None:
        """Count a taken chunk's invocations."""
        with self._changed:
            self._count += count

    def remove(self, count: int) -> None:
        """Count delivered outcomes."""
        with self._changed:
            self._count -= count
            self._changed.notify_all()

    def wait_below(self, limit: int, limit_s: float) -> bool:
        """Wait until fewer than `limit` are in flight; False when that took longer than `limit_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count < limit, limit_s)
