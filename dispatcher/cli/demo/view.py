"""How the result of a demo looks: a table on a terminal, plain lines anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from dispatcher.cli.demo.result import Verdict, percentile
from dispatcher.cli.terminal import is_terminal, safe_line

if TYPE_CHECKING:
    from rich.table import Table

    from dispatcher.cli.demo.result import DemoResult

_STYLES: Final = {
    Verdict.OK: "green",
    Verdict.PASSWORD_MISMATCH: "yellow",
    Verdict.USER_UNKNOWN: "yellow",
    Verdict.FAILURE: "red",
}

#: Characters of the longest bar.
_BAR_WIDTH: Final = 30


def show_result(result: DemoResult, workers: int, in_flight: int, path: str) -> None:
    """Print the result to standard output."""
    facts = _facts(result, workers, in_flight)
    if is_terminal():
        from rich.console import Console

        Console().print(_table(result, facts))
    else:
        for verdict in Verdict:
            click.echo(f"{verdict.value:18} {result.verdicts[verdict]:8,}")
        for name, value in facts:
            click.echo(f"{name:18} {value:>8}")
    click.echo(f"outcomes: {safe_line(path)}")


def _facts(result: DemoResult, workers: int, in_flight: int) -> list[tuple[str, str]]:
    return [
        ("attempts", f"{result.total:,}"),
        ("checks/s", f"{result.rate_per_s:,.0f}"),
        ("p50 ms", f"{percentile(result.times_ms, 0.5):,.1f}"),
        ("p99 ms", f"{percentile(result.times_ms, 0.99):,.1f}"),
        ("workers", f"{workers}"),
        ("in flight", f"{in_flight}"),
    ]


def _table(result: DemoResult, facts: list[tuple[str, str]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title="Login attempts, checked by table_users.lua", box=box.ROUNDED, title_style="bold")
    table.add_column("verdict")
    table.add_column("attempts", justify="right")
    table.add_column("share", width=_BAR_WIDTH + 6)
    for verdict in Verdict:
        count = result.verdicts[verdict]
        share = count / max(result.total, 1)
        style = _STYLES[verdict] if count else "dim"
        bar = "█" * round(share * _BAR_WIDTH)
        table.add_row(verdict.value, f"{count:,}", f"{bar} {share:.1%}", style=style)
    table.add_section()
    for name, value in facts:
        table.add_row(name, value, "", style="bold" if name == "checks/s" else "")
    return table
