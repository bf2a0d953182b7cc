"""Scripts that compute without end beside honest callers: who is answered when, and when the pool is whole again.

Part of `bench.chaos`. The honest callers use a script of their own and never stop asking.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from bench.report import Row
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool

if TYPE_CHECKING:
    from dispatcher.protocol.settings import Settings

#: Of the attack; longer than the processor time of a call, so that the engine's limit has its turn too.
ATTACK_DEADLINE_S: Final = 1.0

#: Honest calls in flight.
HONEST: Final = 32

#: Honest calls are watched for so long before an attack and after the pool is whole.
CALM_S: Final = 0.5

#: No pool takes that long to be whole again, in seconds.
WHOLE_LIMIT_S: Final = 30.0

_SPIN: Final = b"function attack() while true do pcall(function() while true do end end) end end"

#: Name -> the script; its function is `attack`.
ATTACKS: Final = {
    "endless loop": Script.from_stream("endless loop", _SPIN),
    "endless loop in LuaJIT": Script.from_stream("endless loop in LuaJIT", _SPIN, lua="luajit"),
    "stuck pattern": Script.from_stream(
        "stuck pattern", b'function attack() return (("a"):rep(40) .. "b"):find(("a-"):rep(40) .. "c") end'
    ),
}


def measure(settings: Settings) -> tuple[list[Row], dict[str, float]]:
    """Attack a pool of its own; returns the honest callers' rows and what was seen of each attack."""
    rows: list[Row] = []
    seen: dict[str, float] = {}
    for name, script in ATTACKS.items():
        # Each on a new pool: none pays for the one before it.
        with LocalPool(settings):
            asyncio.run(_attack(settings, name, script, rows, seen))
    return rows, seen


async def _attack(settings: Settings, name: str, script: Script, rows: list[Row], seen: dict[str, float]) -> None:
    async with AsyncDispatcher(settings) as dispatcher:
        honest = _Honest(dispatcher)
        await asyncio.sleep(CALM_S)
        asked_s = time.monotonic()
        outcome = await dispatcher.call(script, "attack", deadline_s=ATTACK_DEADLINE_S)
        answered_s = time.monotonic()
        whole_s = await honest.when_answered_by(settings.pool.count, answered_s)
        await asyncio.sleep(CALM_S)
        latencies_s = sorted(await honest.stop())
    assert not outcome.is_ok, outcome
    seen[f"{name}: answered past its deadline, ms"] = max(0.0, answered_s - asked_s - ATTACK_DEADLINE_S) * 1000
    seen[f"{name}: until the pool was whole, s"] = whole_s - answered_s
    seen[f"{name}: honest calls that failed"] = honest.failed
    rows.append(
        Row(
            load=f"honest calls beside: {name}",
            who="lualoft",
            rate_per_s=len(latencies_s) / (whole_s - asked_s + CALM_S * 2),
            p50_ms=latencies_s[len(latencies_s) // 2] * 1000,
            p99_ms=latencies_s[len(latencies_s) * 99 // 100] * 1000,
        )
    )


#: Answers with the worker's process id too.
_HONEST_SCRIPT: Final = Script.from_stream(
    "honest",
    b"""
    local pid = math.tointeger(io.open("/proc/self/stat"):read("n"))
    function check(number) return number, pid end
    """,
)


class _Honest:
    """Callers who go on until they are stopped."""

    def __init__(self, dispatcher: AsyncDispatcher) -> None:
        self._dispatcher = dispatcher
        self._is_stopping = False
        self._latencies_s: list[float] = []
        #: Process id of a worker -> when the last call was asked that it answered.
        self._answered_by: dict[int, float] = {}
        self.failed = 0
        self._callers = [asyncio.create_task(self._call(number)) for number in range(HONEST)]

    async def when_answered_by(self, workers: int, since_s: float) -> float:
        """Wait until so many workers have answered calls that were asked since then; returns when that was."""
        ends_s = time.monotonic() + WHOLE_LIMIT_S
        while sum(asked_s >= since_s for asked_s in self._answered_by.values()) < workers:
            if time.monotonic() > ends_s:
                message = f"the pool was not whole again within {WHOLE_LIMIT_S:g} s"
                raise AssertionError(message)
            await asyncio.sleep(0.005)
        return time.monotonic()

    async def stop(self) -> list[float]:
        """Wait for the last answers; returns the times of all calls."""
        self._is_stopping = True
        await asyncio.gather(*self._callers)
        return self._latencies_s

    async def _call(self, number: int) -> None:
        while not self._is_stopping:
            asked_s = time.monotonic()
            outcome = await self._dispatcher.call(_HONEST_SCRIPT, "check", number, idempotent=True)
            self._latencies_s.append(time.monotonic() - asked_s)
            if outcome.values[:1] == [number]:
                self._answered_by[outcome.values[1]] = asked_s
            else:
                self.failed += 1
