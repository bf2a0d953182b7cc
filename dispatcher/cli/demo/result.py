"""What a demo run found: verdicts of the script, failures of ours apart from them, and how long each check took.

`command` fills it while the run goes on, `view` draws it.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.protocol.outcome import Outcome


class Verdict(Enum):
    """What became of one login attempt."""

    OK = "ok"
    PASSWORD_MISMATCH = "password mismatch"  # noqa: S105 - a verdict, no password
    USER_UNKNOWN = "user unknown"
    #: Never a "no": the script or the pool did not come to a verdict.
    FAILURE = "failure"


#: Result code of `auth_password_verify` -> verdict.
_VERDICTS: Final[dict[float, Verdict]] = {1: Verdict.OK, 0: Verdict.PASSWORD_MISMATCH, -3: Verdict.USER_UNKNOWN}


def verdict_of(outcome: Outcome) -> Verdict:
    """Return what the outcome of one check means."""
    code = outcome.values[0] if outcome.is_ok and outcome.values else None
    return _VERDICTS.get(code, Verdict.FAILURE) if isinstance(code, int | float) else Verdict.FAILURE


class DemoResult:
    """Counts and times of a run. Make it on the running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        self._ended_s = self._started_s
        self.verdicts: Counter[Verdict] = Counter()
        #: Milliseconds from the call to its outcome, queue and both ways included.
        self.times_ms: list[float] = []

    def watch(self, future: asyncio.Future[Outcome]) -> None:
        """Take the time of a call that was just made."""
        asked_s = self._loop.time()
        future.add_done_callback(lambda _: self.times_ms.append((self._loop.time() - asked_s) * 1000))

    def count(self, outcome: Outcome) -> None:
        """Take an outcome."""
        self.verdicts[verdict_of(outcome)] += 1
        self._ended_s = self._loop.time()

    @property
    def total(self) -> int:
        """Attempts that were checked."""
        return self.verdicts.total()

    @property
    def rate_per_s(self) -> float:
        """Checks per second."""
        elapsed_s = self._ended_s - self._started_s
        return self.total / elapsed_s if elapsed_s > 0 else 0.0


def percentile(times: Sequence[float], share: float) -> float:
    """Return the time within which this share of the checks was answered; 0 without any."""
    if not times:
        return 0.0
    return sorted(times)[max(0, math.ceil(len(times) * share) - 1)]
