"""Says on standard error how far long work is: now and then a line, at the end one."""

import sys
import time
from typing import Final

from workers.cli.dict.session import tell

#: Seconds between two lines.
_EVERY_S: Final = 5.0


class Progress:
    """Counts rows; `doing` and `done` are its words, "exported" for example."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._began_s = self._told_s = time.monotonic()
        self._told_count = 0
        self.count = 0

    def reach(self, count: int) -> None:
        """Note how many rows are done."""
        self.count = count
        now_s = time.monotonic()
        if now_s - self._told_s >= _EVERY_S:
            tell(f"{count:,} rows, {(count - self._told_count) / (now_s - self._told_s):,.0f}/s")
            self._told_s, self._told_count = now_s, count

    def finish(self) -> None:
        """Say how many it were."""
        seconds = max(time.monotonic() - self._began_s, 0.001)
        # Nobody looks at it, and it is over at once: then it would only be in the way.
        if sys.stderr is not None:
            tell(f"{self.count:,} rows {self._done} in {seconds:.1f} s")
