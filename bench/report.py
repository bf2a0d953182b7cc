"""The one shape of every benchmark's result, and its two forms: JSON and a table.

Benchmarks return a `Report`; `bench.__main__` prints it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Row:
    """One load on one system."""

    load: str
    #: `lualoft`, or the peer's name.
    who: str
    rate_per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    #: CPU time of client, workers and server together, per check.
    cpu_us: float = 0.0
    #: Commands that the server ran, per check.
    redis_commands: float = 0.0
    #: Resident memory of one worker, or what a step added to it.
    rss_mib: float = 0.0


@dataclass(frozen=True)
class Report:
    """What a benchmark found."""

    bench: str
    rows: list[Row] = field(default_factory=list)
    #: What was compared -> ours divided by the peer's.
    ratios: dict[str, float] = field(default_factory=dict)
    #: What was counted or timed beside the rows, with its unit in the name.
    facts: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return one JSON object."""
        return json.dumps(asdict(self))

    def to_table(self) -> str:
        """Return text with aligned columns."""
        names = ("load", "who", "rate/s", "p50 ms", "p99 ms", "CPU us", "Redis commands", "RSS MiB")
        lines = [names, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        ratios = [f"{name}: {ratio:.2f}" for name, ratio in self.ratios.items()]
        facts = [f"{name}: {number:,.4g}" for name, number in self.facts.items()]
        return "\n".join([self.bench, *table, "", *ratios, *facts])


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (row.rate_per_s, row.p50_ms, row.p99_ms, row.cpu_us, row.redis_commands, row.rss_mib)
    return (row.load, row.who, *(_shown(number) for number in numbers))


def _shown(number: float) -> str:
    if number == 0:
        return "-"
    return f"{number:,.2f}" if abs(number) < 100 else f"{number:,.0f}"  # noqa: PLR2004 - digits that matter
