"""Runs a coroutine of a sub-command on uvloop, and turns Ctrl-C and SIGTERM into its cancellation.

The only importer of uvloop on this side. What the coroutine has begun it ends in its `finally`.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

import uvloop

from dispatcher.cli import exit_codes

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end.

    Raises:
        KeyboardInterrupt: Ctrl-C came.
        SystemExit: SIGTERM came; with its exit code.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_ended_by_sigterm(work))


async def _ended_by_sigterm(work: Coroutine[Any, Any, T]) -> T:
    # asyncio.Runner does the same for SIGINT.
    task = asyncio.ensure_future(work)
    is_terminated = False

    def terminate() -> None:
        nonlocal is_terminated
        is_terminated = True
        task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        return await task
    except asyncio.CancelledError:
        if is_terminated:
            raise SystemExit(exit_codes.TERMINATED) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
