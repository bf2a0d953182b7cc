"""Lets memory-hungry hashes of one process wait for each other, so that many logins at a time cannot exhaust it.

argon2, scrypt and yescrypt hashes are computed inside `reserve`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from workers.passwords.limits import MEMORY_BUDGET_KIB


class MemoryBudget:
    """An amount of memory that threads share."""

    def __init__(self, total_kib: int) -> None:
        self._total_kib = total_kib
        self._used_kib = 0
        # Lock order: turn, then changed. Whoever waits for memory keeps the turn: a small hash that comes later waits
        # behind a big one; without that, a stream of small ones would keep the big one waiting for ever.
        self._turn = threading.Lock()
        self._changed = threading.Condition()

    @property
    def used_kib(self) -> int:
        """What is reserved at the moment."""
        with self._changed:
            return self._used_kib

    @contextmanager
    def reserve(self, amount_kib: int) -> Iterator[None]:
        """Wait until so much is free and hold it; an amount over the total waits until nothing else is held."""
        if amount_kib == 0:
            # Most hashes need next to no memory; they must not wait behind a big one that has the turn.
            yield
            return
        amount_kib = min(amount_kib, self._total_kib)
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._used_kib + amount_kib <= self._total_kib)
            self._used_kib += amount_kib
        try:
            yield
        finally:
            with self._changed:
                self._used_kib -= amount_kib
                self._changed.notify_all()


#: The one of this process.
BUDGET: Final = MemoryBudget(MEMORY_BUDGET_KIB)
