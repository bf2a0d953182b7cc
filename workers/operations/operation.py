"""What an operation is: a function that a parked call waits for, blocking or on the loop, and how it is told to end.

`catalog` makes the operations of a worker, `runner` runs them. Knows neither Lua nor the engine.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: What Lua gets from an operation; a failure is (None, text).
Results = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Blocking:
    """An operation that runs on a thread of its own while it lasts."""

    function: Callable[..., Results]
    #: Is it given a `CancelToken` in front of the arguments? Worth it where it can close what it waits for.
    takes_token: bool = False


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """An operation that runs on the worker's asyncio loop; cancelled like any task. It must never block."""

    function: Callable[..., Awaitable[Results]]


Operation = Blocking | Asynchronous


class CancelToken:
    """Tells a blocking operation that nobody waits for its results any more.

    Made by the runner, one for each run. `cancel` comes from the engine's thread, the rest from the operation's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []
        self._is_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Has it been cancelled?"""
        return self._is_cancelled

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have something done when it is cancelled: on the thread that cancels, or at once if it has been already.

        Args:
            callback: must neither block nor raise; closing a socket is what it is meant for.
        """
        # The lock decides a race with `cancel`: either it finds the callback, or we see that it has been here.
        with self._lock:
            if not self._is_cancelled:
                self._callbacks.append(callback)
                return
        callback()

    def forget(self) -> None:
        """Drop the callbacks: what they would end is over."""
        with self._lock:
            self._callbacks.clear()

    def cancel(self) -> None:
        """Mark it and do what was asked for; a second time does nothing."""
        with self._lock:
            self._is_cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
