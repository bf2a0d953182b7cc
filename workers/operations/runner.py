"""Runs the operations that parked calls wait for, on a pool of threads, and hands their results back.

The engine gives it an operation's name and arguments; the results come back through a function that any thread may
call. An operation never raises into Lua: whatever goes wrong is what it returns, or `nil, text`.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from workers.auth.password_check import PASSWORD_VERIFY, RETURNED_PASSWORD, check_returned
from workers.operations.http_exchange import exchange
from workers.passwords.check import blocking_verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log: Final = logging.getLogger("lualoft.operations")

#: Operation -> the blocking function that does it; takes and returns values of `dispatcher.protocol.invocation`.
BLOCKING: Final[dict[bytes, Callable[..., tuple[Any, ...]]]] = {
    b"http_exchange": exchange,
    PASSWORD_VERIFY: blocking_verify,
    RETURNED_PASSWORD: check_returned,
}


class OperationRunner:
    """The threads of one worker."""

    def __init__(self, max_threads: int, deliver: Callable[[int, tuple[Any, ...]], None]) -> None:
        """Set up; threads start as they are needed.

        Args:
            max_threads: operations that run at once; more of them wait for a thread.
            deliver: is given (token, results) on some thread.
        """
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="operation")
        self._deliver = deliver

    def is_known(self, name: bytes) -> bool:
        """Is there an operation of this name?"""
        return name in BLOCKING

    def start(self, token: int, name: bytes, args: Sequence[Any]) -> None:
        """Start an operation; its results are delivered with the token."""
        self._threads.submit(self._run, token, BLOCKING[name], args)

    def stop(self) -> None:
        """Start nothing any more; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, token: int, operation: Callable[..., tuple[Any, ...]], args: Sequence[Any]) -> None:
        try:
            results = operation(*args)
        except Exception as exc:  # noqa: BLE001 - a bug must not leave the call parked until its deadline
            _log.exception("operation failed")
            results = (None, f"internal error: {type(exc).__name__}".encode())
        self._deliver(token, results)
