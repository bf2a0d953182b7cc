"""Parks scripts that keep hitting their limits, so that the others have the workers to themselves.

The engine counts and asks; the main thread shares what is parked with the other workers (parked_share.py). A parked
script's calls end at once as `unavailable`, which may be tried again; after the pause it is let in again, and
parked for twice as long if it goes on as before.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.parked import FORGET_S, MAX_PAUSE_S, Parked

if TYPE_CHECKING:
    from dispatcher.protocol.invocation import ScriptPackage

#: Ends that say that a script has used more than it may.
LIMITS: Final = frozenset({OutcomeKind.CPU_LIMIT, OutcomeKind.MEMORY_LIMIT})

#: Hits within so many seconds park a script, if at least half of its calls end so.
WINDOW_S: Final = 10.0

#: Part of its processor time from which on a call that computed at its deadline is a hit, and from which on a whole
#: one. A hit between weighs less: a flood of endless calls shares the processor, so none of them gets far. Below are
#: honest calls of a worker that has too much to do.
SMALLEST_SHARE: Final = 0.1
WHOLE_SHARE: Final = 0.5

#: Part of the first pause for a call that cost its worker.
STUCK_SHARE: Final = 0.25


@dataclass(slots=True)
class _Record:
    """How a script's calls ended since one hit a limit."""

    first_s: float
    hit_count: int = 0
    other_count: int = 0
    #: Of the hits; at most one each.
    weight: float = 0.0


class Breaker:
    """The parked scripts as one worker knows them; the engine counts and asks, the main thread does what comes last."""

    def __init__(self, max_hits: int, pause_s: float) -> None:
        """Set up with nothing parked.

        Args:
            max_hits: hits within `WINDOW_S` that park a script; 0: none ever is.
            pause_s: the first pause.
        """
        self._max_hits = max_hits
        self._pause_s = pause_s
        self._records: dict[bytes, _Record] = {}
        #: Package id -> what is known of it; an entry outlives its pause, for the length of the next one.
        self._parked: dict[bytes, Parked] = {}
        self._unshared: set[bytes] = set()
        #: For changes of these two: without it what the engine parks could be overwritten with what Redis knew before.
        self._lock = threading.Lock()

    def left_s(self, package_id: bytes) -> float:
        """Return the seconds until a script is let in; 0 for one that is not parked."""
        parked = self._parked.get(package_id)
        return max(0.0, parked.until_unix_s - time.time()) if parked else 0.0

    def note(self, package_id: bytes, package: ScriptPackage, kind: OutcomeKind) -> None:
        """Count the end of a call."""
        if kind in LIMITS:
            self._hit(package_id, package, 1.0)
        elif kind is not OutcomeKind.DEADLINE_EXCEEDED and (record := self._records.get(package_id)):
            # One that missed its deadline speaks neither for the script nor against it; see `note_overdue`.
            record.other_count += 1

    def note_overdue(self, package_id: bytes, package: ScriptPackage, share: float) -> None:
        """Count a call that still computed when its deadline came, if it had used much of what it may.

        Args:
            package_id: which script.
            package: the same.
            share: of its processor time.
        """
        # Many may have one deadline: those that were inside when the script was parked do not make the pause longer.
        if share >= SMALLEST_SHARE and not self.left_s(package_id):
            self._hit(package_id, package, min(1.0, share / WHOLE_SHARE))

    def _hit(self, package_id: bytes, package: ScriptPackage, weight: float) -> None:
        record = self._records.get(package_id)
        now_s = time.monotonic()
        if record is None or now_s - record.first_s > WINDOW_S:
            # Scripts that are changed leave versions behind, which never come back.
            self._records = {key: old for key, old in self._records.items() if now_s - old.first_s <= WINDOW_S}
            record = self._records[package_id] = _Record(now_s)
        record.hit_count += 1
        record.weight += weight
        # Half of them: a few calls that somebody made to fail must not shut the script for all others.
        if 0 < self._max_hits <= record.weight and record.hit_count >= record.other_count:
            self._park(package_id, package.name, self._pause_s)

    def note_stuck(self, package_id: bytes, package: ScriptPackage) -> None:
        """Count a call that cost its worker: the script is parked at once, at first for about as long as that takes."""
        if self._max_hits:
            self._park(package_id, package.name, self._pause_s * STUCK_SHARE)

    def _park(self, package_id: bytes, name: str, first_pause_s: float) -> None:
        self._records.pop(package_id, None)
        with self._lock:
            before = self._parked.get(package_id)
            pause_s = min(before.pause_s * 2, MAX_PAUSE_S) if before else first_pause_s
            self._parked[package_id] = Parked(time.time() + pause_s, pause_s, name)
            self._unshared.add(package_id)

    def news(self) -> dict[bytes, Parked]:
        """Return what was parked here and is not told yet: package id -> Parked."""
        with self._lock:
            return {package_id: self._parked[package_id] for package_id in self._unshared}

    def note_told(self, news: dict[bytes, Parked]) -> None:
        """Note that the others know."""
        with self._lock:
            # One that was parked again meanwhile is news still.
            self._unshared -= {package_id for package_id, parked in news.items() if self._parked[package_id] is parked}

    def learn(self, found: dict[bytes, Parked]) -> None:
        """Take over what others have parked for longer, and forget what is long over."""
        with self._lock:
            for package_id, parked in found.items():
                known = self._parked.get(package_id)
                if known is None or known.until_unix_s < parked.until_unix_s:
                    self._parked[package_id] = parked
            now_unix_s = time.time()
            for package_id, parked in list(self._parked.items()):
                if parked.until_unix_s + FORGET_S < now_unix_s and package_id not in self._unshared:
                    del self._parked[package_id]
