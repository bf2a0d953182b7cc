"""Answers on their way from the engine to the outbox: gathered for a moment, so that several travel together.

The engine's own. Each answer that travels alone costs a third of what a slow hash costs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.work import Answer

#: Answers that are gathered before they go while there is more to do.
FLUSH_EVERY: Final = 128

#: Seconds for which an answer may be held back while the next calls run.
FLUSH_AFTER_S: Final = 0.005

#: Seconds for which one that a hash was computed for may be, while `LINE_SHARE` times as many hashes stand in line as
#: there are answers: whoever asks next waits for those first.
FLUSH_COMPUTED_AFTER_S: Final = 0.05
LINE_SHARE: Final = 2


class Gathering:
    """Holds answers; used on the engine's thread, `flush` also by whoever ends the engine."""

    def __init__(
        self,
        deliver: Callable[[list[Answer]], None],
        count_computing: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up with nothing gathered.

        Args:
            deliver: is given the answers; must not block.
            count_computing: says how many operations wait for the computing thread or run on it.
            clock_s: what time it is.
        """
        self._clock_s = clock_s
        self._deliver = deliver
        self._count_computing = count_computing
        self._answers: list[Answer] = []
        self._oldest_s = 0.0
        #: Is one among them that no hash was computed for?
        self._is_urgent = False

    def add(self, answer: Answer, *, is_computed: bool) -> None:
        """Take an answer; the gathered ones go when they are many or the oldest has been held for long enough."""
        now_s = self._clock_s()
        if not self._answers:
            self._oldest_s, self._is_urgent = now_s, False
        self._is_urgent = self._is_urgent or not is_computed
        self._answers.append(answer)
        held_s = now_s - self._oldest_s
        if len(self._answers) >= FLUSH_EVERY or (held_s >= FLUSH_AFTER_S and held_s >= self._patience_s()):
            self.flush()

    def rest(self) -> float | None:
        """Let them go as there is nothing more to do; or return the seconds to hold them: while hashes are computed.

        More answers will follow then, and the cores are busy with hashes.
        """
        if not self._answers:
            return None
        if self._count_computing():
            left_s = self._oldest_s + self._patience_s() - self._clock_s()
            if left_s > 0:
                return left_s
        self.flush()
        return None

    def flush(self) -> None:
        """Let them go."""
        if self._answers:
            answers, self._answers = self._answers, []
            self._deliver(answers)

    def _patience_s(self) -> float:
        is_patient = not self._is_urgent and self._count_computing() >= LINE_SHARE * len(self._answers)
        return FLUSH_COMPUTED_AFTER_S if is_patient else FLUSH_AFTER_S
