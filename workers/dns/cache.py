"""Answers that are kept for as long as they hold: addresses, and that a name has none. Used on the loop only."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import DnsSettings
    from workers.dns.error import ResolveError


class AnswerCache:
    """The last answers by name, the least recently used goes first."""

    def __init__(self, settings: DnsSettings, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Set up empty; `cache_entries` of 0 keeps nothing."""
        self._settings = settings
        self._clock_s = clock_s
        self._kept: OrderedDict[bytes, tuple[float, tuple[str, ...] | ResolveError]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, name: bytes) -> tuple[str, ...] | ResolveError | None:
        """Return what is known about a name; None: nothing that still holds."""
        entry = self._kept.get(name)
        if entry is None:
            return None
        ends_s, answer = entry
        if self._clock_s() >= ends_s:
            del self._kept[name]
            return None
        self._kept.move_to_end(name)
        return answer

    def put(self, name: bytes, answer: tuple[str, ...] | ResolveError, ttl_s: float) -> None:
        """Keep an answer for its time, within the limits of the settings."""
        ttl_s = min(max(ttl_s, self._settings.cache_min_ttl_s), self._settings.cache_max_ttl_s)
        if not self._settings.cache_entries or ttl_s <= 0:
            return
        self._kept[name] = (self._clock_s() + ttl_s, answer)
        self._kept.move_to_end(name)
        if len(self._kept) > self._settings.cache_entries:
            self._kept.popitem(last=False)
