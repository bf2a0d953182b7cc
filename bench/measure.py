"""What a load cost: time per check, CPU of all processes, commands of the server.

Linux only: CPU times come from /proc.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.report import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis import Redis

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")

#: Fields of /proc/PID/stat after the command's closing parenthesis.
_PARENT, _USER, _SYSTEM = 1, 11, 12


class Meter:
    """Measures from its making to `row`."""

    def __init__(self, redis: Redis, who: str, load: str) -> None:
        self._redis = redis
        self._who = who
        self._load = load
        self.latencies_s: list[float] = []
        self._commands = self._command_count()
        self._cpu_s = _cpu_s_of_family()
        self._start_s = time.perf_counter()

    def row(self) -> Row:
        """Return what the checks since the start cost; one latency was noted per check."""
        wall_s = time.perf_counter() - self._start_s
        cpu_s = _cpu_s_of_family() - self._cpu_s
        # Each look at the counter is a command itself.
        commands = self._command_count() - self._commands - 1
        count = len(self.latencies_s)
        ordered = sorted(self.latencies_s)
        return Row(
            load=self._load,
            who=self._who,
            rate_per_s=count / wall_s,
            p50_ms=ordered[count // 2] * 1000,
            p99_ms=ordered[count * 99 // 100] * 1000,
            cpu_us=cpu_s / count * 1e6,
            redis_commands=commands / count,
        )

    def _command_count(self) -> int:
        return int(self._redis.info("stats")["total_commands_processed"])


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def resident_mib(pid: int) -> float:
    """Return the memory that a process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1024 * 1024)


def _cpu_s_of_family() -> float:
    """CPU time of this process and all that descend from it: client, pool, workers, server."""
    stats = {int(path.parent.name): _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    family = _family(os.getpid(), {pid: int(fields[_PARENT]) for pid, fields in stats.items() if fields})
    ticks = sum(int(stats[pid][_USER]) + int(stats[pid][_SYSTEM]) for pid in family)
    return ticks / _TICKS_PER_S


def _family(root: int, parents: dict[int, int]) -> Iterable[int]:
    family = {root}
    while True:
        grown = family | {pid for pid, parent in parents.items() if parent in family}
        if grown == family:
            return family
        family = grown


def _stat(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        # The process ended between the listing and the look.
        return []
