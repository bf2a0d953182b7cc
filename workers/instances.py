"""Loaded scripts: one Lua state each, reused by every call, evicted when there are too many.

The engine owns the cache and drives the loading, because `script_init` may wait like any other call. An evicted
instance gets its `script_deinit` and gives back all its memory.
"""

from __future__ import annotations

import ctypes
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from workers.lua.script_life import ScriptLife

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import ScriptPackage

#: A script that did not load is tried again after this; its callers are told the old error meanwhile.
RETRY_FAILED_S: Final = 1.0

#: Evictions between two requests to the C library to give memory back to the system.
TRIM_EVERY: Final = 64


class Instance:
    """A script in its own Lua state, and the calls that wait for it to be loaded."""

    def __init__(self, package: ScriptPackage, life: ScriptLife) -> None:
        self.package = package
        self.life = life
        self.state = life.state
        self.is_ready = False
        #: Why it did not load; empty while it may.
        self.error = ""
        self.failed_s = 0.0
        #: Calls that are inside it now: it is not evicted before they end.
        self.call_count = 0
        #: Called with the instance once it is ready or has failed.
        self.waiting: list[Callable[[Instance], None]] = []

    def fail(self, error: str) -> None:
        """Note that it did not load, and tell those who wait."""
        self.error = error
        self.failed_s = time.monotonic()
        self._tell()

    def get_ready(self) -> None:
        """Note that it is loaded, and tell those who wait."""
        self.is_ready = True
        self._tell()

    def _tell(self) -> None:
        waiting, self.waiting = self.waiting, []
        for tell in waiting:
            tell(self)


class InstanceCache:
    """The instances of one worker by package id, least recently used first."""

    def __init__(self, max_instances: int, make: Callable[[ScriptPackage], ScriptLife]) -> None:
        """Set up empty.

        Args:
            max_instances: more are evicted as soon as no call is inside them.
            make: builds the Lua state of a package.
        """
        self._max_instances = max_instances
        self._make = make
        self._instances: OrderedDict[bytes, Instance] = OrderedDict()
        self._evicted_since_trim = 0
        self._trim = _malloc_trim()

    def __len__(self) -> int:
        return len(self._instances)

    def get(self, package_id: bytes) -> Instance | None:
        """Return the instance, ready, loading or failed a moment ago."""
        instance = self._instances.get(package_id)
        if instance is None:
            return None
        if instance.error and time.monotonic() - instance.failed_s > RETRY_FAILED_S:
            self.evict(package_id)
            return None
        self._instances.move_to_end(package_id)
        return instance

    def add(self, package_id: bytes, package: ScriptPackage) -> Instance:
        """Make an instance that is still to be loaded; evicts others past the cap."""
        instance = Instance(package, self._make(package))
        self._instances[package_id] = instance
        if len(self._instances) > self._max_instances:
            self._evict_idle()
        return instance

    def evict(self, package_id: bytes) -> None:
        """Unload an instance: `script_deinit`, then its Lua state goes with its memory."""
        instance = self._instances.pop(package_id)
        instance.life.close()
        self._evicted_since_trim += 1
        if self._evicted_since_trim >= TRIM_EVERY:
            self.give_memory_back()

    def close(self) -> None:
        """Unload all."""
        for package_id in list(self._instances):
            self.evict(package_id)
        self.give_memory_back()

    def give_memory_back(self) -> None:
        """Hand the memory of evicted instances, which the C library keeps for reuse, to the system."""
        self._evicted_since_trim = 0
        self._trim(0)

    def _evict_idle(self) -> None:
        surplus = len(self._instances) - self._max_instances
        idle = [key for key, instance in self._instances.items() if instance.call_count == 0 and not instance.waiting]
        # The newest is the one that is about to be used.
        for package_id in idle[: min(surplus, len(idle) - 1)]:
            self.evict(package_id)


def _malloc_trim() -> Callable[[int], object]:
    """Return glibc's malloc_trim; elsewhere a function that does nothing."""
    trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim or (lambda _pad: None)
