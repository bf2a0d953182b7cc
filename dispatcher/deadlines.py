"""Deadlines of many calls at the cost of a set insertion each.

An AsyncDispatcher's own: one timer for the earliest bucket instead of one per call, and an answered call leaves nothing
behind. Never late by more than a bucket, never early.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Width of a bucket in seconds: how late an expiry may be noticed.
BUCKET_S: Final = 0.01


class Deadlines:
    """Calls `expire` with the ids whose deadline has passed."""

    def __init__(self, expire: Callable[[set[int]], None]) -> None:
        self._expire = expire
        self._loop = asyncio.get_running_loop()
        self._buckets: dict[int, set[int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call_id: int, deadline_loop_s: float) -> int:
        """Watch a call; returns the bucket that `discard` wants back.

        Args:
            call_id: what `expire` will be given.
            deadline_loop_s: in the event loop's own time.
        """
        bucket = int(deadline_loop_s / BUCKET_S) + 1
        ids = self._buckets.get(bucket)
        if ids is None:
            self._buckets[bucket] = {call_id}
            self._arm(bucket)
        else:
            ids.add(call_id)
        return bucket

    def discard(self, call_id: int, bucket: int) -> None:
        """Forget a call that was answered."""
        ids = self._buckets.get(bucket)
        if ids is not None:
            ids.discard(call_id)
            if not ids:
                del self._buckets[bucket]

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()
        self._buckets.clear()

    def _arm(self, bucket: int) -> None:
        when_s = bucket * BUCKET_S
        if self._timer is not None and not self._timer.cancelled():
            if self._timer.when() <= when_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = int(self._loop.time() / BUCKET_S)
        for bucket in [bucket for bucket in self._buckets if bucket <= now]:
            self._expire(self._buckets.pop(bucket))
        if self._buckets:
            self._arm(min(self._buckets))
