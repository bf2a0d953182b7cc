"""Loaded scripts: one Lua state each, reused by every call, evicted when there are too many.

The engine owns the cache and runs the loading and unloading, because script_init and script_deinit may wait like any
other call. An evicted instance gives back all its memory.
"""

from __future__ import annotations

import ctypes
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.auth_result import AUTH_HOST
from workers.auth.natives import HOST_FILES
from workers.lua.runtime import LuaState
from workers.lua.script_life import ScriptLife
from workers.lua.script_source import source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.invocation import ScriptPackage
    from workers.lua.runtime import Native
    from workers.lua.time_slice import TimeSlice

#: A script that did not load is tried again after this; its callers are told the old error meanwhile.
RETRY_FAILED_S: Final = 1.0

#: Evictions between two requests to the C library to give memory back to the system.
TRIM_EVERY: Final = 64


#: Package id and host.
_Key = tuple[bytes, str]


class Instance:
    """A script in its own Lua state, and the calls that wait for it to be loaded."""

    def __init__(self, package_id: bytes, package: ScriptPackage, state: LuaState) -> None:
        self.package_id = package_id
        self.package = package
        self.state = state
        self.life = ScriptLife(
            state,
            source_of(package.name, package.origin, package.source),
            dialect=package.dialect,
            settings=package.settings,
        )
        self.is_ready = False
        #: Why it did not load; empty while it may.
        self.error = ""
        self.ended_loading_s = 0.0
        #: Calls that are inside it now: it is not evicted before they end.
        self.call_count = 0
        #: Called once it is ready or has failed.
        self.waiting: list[Callable[[], None]] = []
        #: See `wait_outside`; made when the first one waits, as an empty one is larger than all the rest of this.
        self._outside: deque[int] | None = None

    def wait_outside(self, token: int) -> None:
        """Put down a call that is parked until fewer are inside."""
        if self._outside is None:
            self._outside = deque()
        self._outside.append(token)

    def next_outside(self) -> int:
        """Take the call that has waited for longest; it may be gone, if its deadline came first."""
        assert self._outside  # noqa: S101 - asked for only where `has_outside`
        return self._outside.popleft()

    @property
    def has_outside(self) -> bool:
        """Does a call wait until fewer are inside?"""
        return bool(self._outside)

    def end_loading(self, error: str) -> None:
        """Note that it is loaded, or why not, and let those go on who wait."""
        self.error = error
        self.is_ready = not error
        self.ended_loading_s = time.monotonic()
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            go_on()

    @property
    def is_full(self) -> bool:
        """Are as many calls inside it as its script allows?"""
        return 0 < self.package.max_concurrent <= self.call_count

    @property
    def is_idle(self) -> bool:
        """May it be unloaded: is nobody inside it and nobody waiting for it?"""
        return self.call_count == 0 and not self.waiting and not self._outside and (self.is_ready or bool(self.error))


class InstanceCache:
    """The instances of one worker by package id and host, least recently used first.

    A script that serves two hosts is loaded twice, as Dovecot does for a passdb and a userdb of one file; and a state
    holds only what its host needs.
    """

    def __init__(
        self,
        max_instances: int,
        natives: Callable[[ScriptPackage], dict[str, Native]],
        time_slice: TimeSlice,
        unload: Callable[[Instance], None],
    ) -> None:
        """Set up empty.

        Args:
            max_instances: more are evicted as soon as they are idle.
            natives: what the Lua state of a script is given; must not refer to the instance.
            time_slice: makes the calls of all of them give way.
            unload: runs script_deinit of an instance that has left the cache.
        """
        self._max_instances = max_instances
        self._natives = natives
        self._time_slice = time_slice
        self._unload = unload
        self._instances: OrderedDict[_Key, Instance] = OrderedDict()
        self._evicted_since_trim = 0
        self._trim = _malloc_trim()

    def __len__(self) -> int:
        return len(self._instances)

    def get(self, package_id: bytes, host: str = "") -> Instance | None:
        """Return the instance, ready, loading or failed a moment ago."""
        key = (package_id, host)
        instance = self._instances.get(key)
        if instance is None:
            return None
        if instance.error and time.monotonic() - instance.ended_loading_s > RETRY_FAILED_S:
            self._evict(key)
            return None
        self._instances.move_to_end(key)
        return instance

    def add(self, package_id: bytes, package: ScriptPackage, host: str = "") -> Instance:
        """Make an instance that is still to be loaded; evicts others past the cap."""
        state = LuaState(
            package.lua,
            self._natives(package),
            package.max_memory_bytes,
            dialect=package.dialect,
            host_files=HOST_FILES if host == AUTH_HOST else (),
            time_slice=self._time_slice,
        )
        instance = Instance(package_id, package, state)
        self._instances[package_id, host] = instance
        if len(self._instances) > self._max_instances:
            self._evict_idle()
        return instance

    def _evict(self, key: _Key) -> None:
        """Unload an instance: script_deinit, then its Lua state goes with its memory."""
        self._unload(self._instances.pop(key))
        self._evicted_since_trim += 1
        if self._evicted_since_trim >= TRIM_EVERY:
            self.give_memory_back()

    def close(self) -> None:
        """Unload all."""
        for key in list(self._instances):
            self._evict(key)
        self.give_memory_back()

    def give_memory_back(self) -> None:
        """Hand the memory of evicted instances, which the C library keeps for reuse, to the system."""
        self._evicted_since_trim = 0
        self._trim(0)

    def _evict_idle(self) -> None:
        surplus = len(self._instances) - self._max_instances
        # The newest is not idle: it is still to be loaded.
        idle = [key for key, instance in self._instances.items() if instance.is_idle]
        for key in idle[:surplus]:
            self._evict(key)


def _malloc_trim() -> Callable[[int], object]:
    """Return glibc's malloc_trim; elsewhere a function that does nothing."""
    trim: Callable[[int], object] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim or (lambda _pad: None)
