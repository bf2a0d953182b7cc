"""The driver `memory`: a dict inside this process, for tests, trials and data that may be lost.

It behaves as the driver `redis` does, which the shared test suite holds it to: names, expiry, conditions, atomic
commits. One per process: what one worker writes, another does not see.
"""

import math
import re
import time
from collections.abc import AsyncGenerator, Callable
from itertools import islice
from typing import Final

from workers.dict.change import (
    MAX_INTEGER,
    MIN_INTEGER,
    Commit,
    IncrementChange,
    SetChange,
)
from workers.dict.result import DONE, MISSING, Result, ResultKind, Row, failed
from workers.dict.wording import CHANGED, NOT_INTEGER, name_text, not_found

#: Rows of a page.
PAGE_ROWS: Final = 500

#: What Redis takes for an integer.
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")


class MemoryDriver:
    """Names and values of one dict."""

    #: Scans go through the sorted names.
    is_ordered = True

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` gives seconds and decides what has expired."""
        self._clock = clock
        self._values: dict[bytes, tuple[bytes, ...]] = {}
        #: Name -> when it disappears.
        self._expiry_s: dict[bytes, float] = {}

    async def lookup(self, name: bytes) -> Result:
        """Return the values under a name."""
        values = self._get(name)
        return MISSING if values is None else Result(ResultKind.OK, values)

    async def commit(self, commit: Commit) -> Result:
        """Carry out all changes, or none."""
        for condition in commit.conditions:
            if self._get(condition.name) != condition.values:
                return failed(CHANGED.format(name=name_text(condition.name)))
        # The changes go into a layer above; it is merged at the end, so a failure leaves nothing behind.
        layer: dict[bytes, tuple[bytes, ...] | None] = {}
        kept_expiry: set[bytes] = set()
        for change in commit.changes:
            if isinstance(change, SetChange):
                layer[change.name] = (change.value,)
                kept_expiry.discard(change.name)
            elif isinstance(change, IncrementChange):
                values = layer[change.name] if change.name in layer else self._get(change.name)
                if change.name not in layer:
                    kept_expiry.add(change.name)
                sum_or_problem = _increased(change, values)
                if isinstance(sum_or_problem, Result):
                    return sum_or_problem
                layer[change.name] = (b"%d" % sum_or_problem,)
            else:
                layer[change.name] = None
        self._merge(layer, commit.expire_s, kept_expiry)
        return DONE

    async def scan(
        self, beginning: bytes, *, is_recursive: bool, wants_values: bool
    ) -> AsyncGenerator[list[Row], None]:
        """Yield the rows whose names have this beginning."""
        names = iter(sorted(name for name in self._values if name.startswith(beginning)))
        while page := list(islice(names, PAGE_ROWS)):
            rows = []
            for name in page:
                values = self._get(name)
                if values is not None and (is_recursive or name.find(b"/", len(beginning)) < 0):
                    rows.append(Row(name, values if wants_values else ()))
            yield rows

    async def remaining_s(self, names: list[bytes]) -> list[int]:
        """Return the seconds until each name disappears; 0: never, or it is not there."""
        now_s = self._clock()
        return [math.ceil(self._expiry_s[name] - now_s) if name in self._expiry_s else 0 for name in names]

    async def remove_expired(self) -> None:
        """Forget what has expired."""
        for name in list(self._expiry_s):
            self._get(name)

    async def close(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._expiry_s.clear()

    def put_list(self, name: bytes, values: tuple[bytes, ...]) -> None:
        """Put several values under a name, as somebody else could in Redis."""
        self._values[name] = values

    def _get(self, name: bytes) -> tuple[bytes, ...] | None:
        if name in self._expiry_s and self._expiry_s[name] <= self._clock():
            del self._expiry_s[name]
            self._values.pop(name, None)
        return self._values.get(name)

    def _merge(self, layer: dict[bytes, tuple[bytes, ...] | None], expire_s: int, kept_expiry: set[bytes]) -> None:
        for name, values in layer.items():
            if values is None:
                self._values.pop(name, None)
            else:
                self._values[name] = values
            if expire_s and values is not None:
                self._expiry_s[name] = self._clock() + expire_s
            elif name not in kept_expiry:
                self._expiry_s.pop(name, None)


def _increased(change: IncrementChange, values: tuple[bytes, ...] | None) -> int | Result:
    """Return the sum, or why there is none."""
    if values is None:
        if not change.is_creating:
            return not_found(change.name)
        values = (b"0",)
    if len(values) != 1 or not _INTEGER.fullmatch(values[0]):
        return failed(NOT_INTEGER.format(name=name_text(change.name)))
    total = int(values[0]) + change.difference
    if not (MIN_INTEGER <= int(values[0]) <= MAX_INTEGER and MIN_INTEGER <= total <= MAX_INTEGER):
        return failed(NOT_INTEGER.format(name=name_text(change.name)))
    return total
