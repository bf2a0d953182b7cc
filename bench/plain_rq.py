"""The peer: plain RQ with SimpleWorker processes, one job per check, the same Lua call inside.

Jobs carry pickled arguments in the clear and results stay in Redis, as RQ does by default.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from rq import Queue, SimpleWorker

from bench.check import FUNCTION, SOURCE, arguments, is_correct
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from workers.lua.runtime import LuaState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis
    from rq.job import Job

    from bench.measure import Meter

#: A queue of its own.
QUEUE: Final = "plain-rq"

#: No check takes this long.
LIMIT_S: Final = 60


@cache
def _state() -> LuaState:
    state = LuaState("5.4", {"log": lambda _level, _text: None, "c_modules": False})
    state.compile(SOURCE, b"@check.lua")
    state.start_main()
    return state


def check(request: dict[bytes, bytes], password: bytes) -> list[Any]:
    """Run the check; the function of the RQ jobs."""
    state = _state()
    return state.values_of(state.start(FUNCTION.encode(), [request, password]), 1_000_000)


class PlainRqPool:
    """Two processes with a SimpleWorker each."""

    def __init__(self, url: str, workers: int) -> None:
        self._url = url
        self._workers = workers
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [process.pid for process in self._processes]

    def __enter__(self) -> Self:
        """Start the workers and wait until RQ lists them."""
        for _ in range(self._workers):
            self._processes.append(subprocess.Popen([sys.executable, "-m", "bench.plain_rq"], stdin=subprocess.PIPE))
            stdin = self._processes[-1].stdin
            if stdin is not None:
                stdin.write(self._url.encode() + b"\n")
                stdin.flush()
        redis = connect_sync(RedisSettings(url=Secret(self._url)))
        give_up_s = time.monotonic() + LIMIT_S
        while SimpleWorker.count(connection=redis, queue=Queue(QUEUE, connection=redis)) < self._workers:
            if time.monotonic() > give_up_s:
                message = "the RQ workers did not start"
                raise TimeoutError(message)
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        for process in self._processes:
            process.terminate()
            process.wait()


def run_load(redis: Redis, in_flight: int, total: int, meter: Meter) -> None:
    """Keep `in_flight` jobs open until `total` are done, oldest first."""
    queue = Queue(QUEUE, connection=redis)
    window: deque[tuple[int, float, Job]] = deque()
    for number, job, asked_s in _enqueue(queue, total):
        window.append((number, asked_s, job))
        if len(window) >= in_flight:
            _take(window.popleft(), meter)
    while window:
        _take(window.popleft(), meter)


def _enqueue(queue: Queue, total: int) -> Iterator[tuple[int, Job, float]]:
    for number in range(total):
        asked_s = time.perf_counter()
        yield number, queue.enqueue(check, *arguments(number)), asked_s


def _take(entry: tuple[int, float, Job], meter: Meter) -> None:
    number, asked_s, job = entry
    result = job.latest_result(timeout=LIMIT_S)
    meter.latencies_s.append(time.perf_counter() - asked_s)
    if result is None or not is_correct(number, list(result.return_value or ())):
        message = f"plain RQ answered check {number} wrongly"
        raise AssertionError(message)


def main() -> None:
    """Run one worker; the address comes on standard input."""
    redis = connect_sync(RedisSettings(url=Secret(sys.stdin.readline().strip()), socket_timeout_s=60.0))
    worker = SimpleWorker([Queue(QUEUE, connection=redis)], connection=redis)
    worker.log_result_lifespan = False
    worker.work(logging_level="ERROR")


if __name__ == "__main__":
    main()
