"""The watch beside an engine: ends time slices, and finds out when Lua does not give way at all.

A thread of its own, because the engine's is inside Lua then. It looks at the running step twice per slice and asks it
to give way at the second look. A step that goes on past the processor time of its call (a pattern that never ends, a
C module that waits, Lua 5.1, compiled code of LuaJIT) is stuck: the engine is told, once, and gives the worker up.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lua.time_slice import TimeSlice
    from workers.tasks import Task

#: Looks without any running step after which they become rarer, and the pause between those, in seconds.
IDLE_LOOKS: Final = 200
IDLE_PAUSE_S: Final = 0.05

#: Seconds of processor time beyond its own that a call is given to reach a point where Lua can yield.
MARGIN_S: Final = 0.25

#: A step is stuck too when it has lasted this many times as long, mostly asleep, and this much longer, in seconds.
WALL_FACTOR: Final = 2.0
WALL_MARGIN_S: Final = 1.0

#: And when it has lasted so long, in seconds, and the deadline of its call has passed: nobody waits for it any
#: more, and everybody else in the worker does.
OVERDUE_S: Final = 1.0


class Watch:
    """Looks at the steps of one engine."""

    def __init__(self, time_slice: TimeSlice, slice_s: float, give_up: Callable[[int], bool]) -> None:
        """Set up without watching.

        Args:
            time_slice: which step runs.
            slice_s: how long a step may run before it gives way.
            give_up: is told the number of a stuck step; returns False when that has gone on meanwhile.
        """
        self._slice = time_slice
        self._pause_s = slice_s / 2
        self._give_up = give_up
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._clock = 0
        #: The step seen last, and the processor time of the engine's thread when it was first seen.
        self._number = -1
        self._first_cpu_s = 0.0
        self._lasted_s = 0.0

    def start(self) -> None:
        """Watch the calling thread from here on."""
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; called by the watched thread."""
        self._end.set()
        # Its look at our clock fails once we have ended. It cannot be waiting for us: nothing is inside Lua now.
        self._thread.join()

    def _run(self) -> None:
        idle_count = 0
        looked_s = time.monotonic()
        while not self._end.wait(self._pause_s if idle_count < IDLE_LOOKS else IDLE_PAUSE_S):
            number, task = self._slice.number, self._slice.task
            # A machine that was asleep, or this process stopped, is nobody's fault: only what was watched counts.
            passed_s = min(time.monotonic() - looked_s, 2 * self._pause_s)
            looked_s = time.monotonic()
            idle_count = 0 if task is not None else idle_count + 1
            if task is None or number != self._number:
                self._first_cpu_s, self._lasted_s = time.clock_gettime(self._clock), 0.0
                self._number = number
                continue
            self._lasted_s += passed_s
            self._slice.ask(number)
            if self._is_stuck(task) and self._give_up(number):
                return

    def _is_stuck(self, task: Task) -> bool:
        limit_s = task.max_step_s + MARGIN_S
        spent_s = time.clock_gettime(self._clock) - self._first_cpu_s
        is_overdue = self._lasted_s > OVERDUE_S and time.time() > task.deadline_unix_s
        return is_overdue or spent_s > limit_s or self._lasted_s > WALL_FACTOR * limit_s + WALL_MARGIN_S
