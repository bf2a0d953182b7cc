"""A closed loop: so many callers, each asks, waits for the answer and asks again.

Benchmarks that use the Python API share it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def closed_loop(
    ask: Callable[[int], Awaitable[None]], in_flight: int, total: int, latencies_s: list[float]
) -> None:
    """Make `total` calls, `in_flight` at a time.

    Args:
        ask: makes the n-th call and raises AssertionError if the answer is wrong.
        in_flight: callers.
        total: calls.
        latencies_s: is given the time of each call.
    """
    numbers = iter(range(total))

    async def caller() -> None:
        for number in numbers:
            asked_s = time.perf_counter()
            await ask(number)
            latencies_s.append(time.perf_counter() - asked_s)

    await asyncio.gather(*(caller() for _ in range(in_flight)))
