"""How `lualoft status` looks: two tables and a line of totals, drawn with rich."""

from __future__ import annotations

import io
import shutil
import time
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dispatcher.cli.terminal import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.cli.status_report import ParkedScript, PoolStatus, Status

_MIB: Final = 1024 * 1024

_STATE_STYLES: Final = {"idle": "green", "busy": "green", "lost": "red"}

#: Columns of output that goes into a file or a pipe.
_PLAIN_WIDTH: Final = 160


def plain_text(status: Status, *, is_styled: bool) -> str:
    """Return the tables as text, with colours only for a terminal."""
    width = shutil.get_terminal_size().columns if is_styled else _PLAIN_WIDTH
    out = io.StringIO()
    Console(file=out, force_terminal=is_styled, width=width).print(render(status, is_styled=is_styled))
    # rich fills every line of a table up to its width.
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def live_view(look: Callable[[], Status], every_s: float) -> None:
    """Draw over and over in the same place, until Ctrl-C."""
    with Live(render(look(), is_styled=True), auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(render(look(), is_styled=True), refresh=True)


def render(status: Status, *, is_styled: bool) -> Group:
    """Return what is drawn."""
    style = box.SIMPLE_HEAD if is_styled else None
    parked = [_text(_parked_line(one), "yellow") for one in status.parked_scripts]
    pools = [_text(_pool_line(pool), "yellow") for pool in status.pools if _is_noteworthy(pool)]
    warnings = [_text(f"warning: {warning}", "yellow") for warning in status.warnings]
    tables = (_queues(status, style), _workers(status, style))
    return Group(_text(f"Redis at {status.redis}"), *tables, *pools, *parked, *warnings, _totals(status))


def _text(text: str, style: str = "") -> Text:
    """Show what stands in Redis as it is: rich would read markup in a plain string, the terminal control characters."""
    return Text(safe_line(text), style=style)


def _table(style: box.Box | None, *columns: str) -> Table:
    table = Table(box=style, pad_edge=False, header_style="bold")
    for column in columns:
        # Names stand left and whole, numbers right.
        is_name = column in {"QUEUE", "WORKER", "STATE"}
        table.add_column(column, justify="left" if is_name else "right", no_wrap=True, overflow="fold")
    return table


def _queues(status: Status, style: box.Box | None) -> Table:
    table = _table(style, "QUEUE", "WAITING CHUNKS", "RUNNING", "FAILED", "REJECTED")
    for queue in status.queues:
        bad = (Text(f"{count:,}", "red" if count else "") for count in (queue.failed_chunks, queue.rejected_jobs))
        table.add_row(_text(queue.name), f"{queue.waiting_chunks:,}", f"{queue.running_chunks:,}", *bad)
    return table


def _workers(status: Status, style: box.Box | None) -> Table:
    table = _table(
        style,
        "WORKER",
        "QUEUE",
        "STATE",
        "SEEN S AGO",
        "INVOCATIONS",
        "PER S",
        "IN FLIGHT",
        "INSTANCES",
        "RSS MIB",
        "CHUNKS",
        "FAILED",
    )
    for worker in status.workers:
        table.add_row(
            _text(worker.name),
            _text(worker.queue),
            _text(worker.state, _STATE_STYLES.get(worker.state, "yellow")),
            "never" if worker.last_seen_s is None else f"{worker.last_seen_s:,.0f}",
            f"{worker.invocations:,}",
            f"{worker.rate_per_s:,.0f}",
            f"{worker.in_flight:,}",
            f"{worker.instances:,}",
            f"{worker.rss_bytes / _MIB:,.1f}",
            f"{worker.chunks:,}",
            f"{worker.failed_chunks:,}",
        )
    return table


def _parked_line(parked: ParkedScript) -> str:
    line = f"script {parked.name} keeps hitting its limits: parked for another {parked.left_s:g} s"
    return line if parked.is_checked else f"{line} (not checked: there is no key here)"


def _is_noteworthy(pool: PoolStatus) -> bool:
    return pool.ready_workers < pool.wanted_workers or pool.deaths > 0


def _pool_line(pool: PoolStatus) -> str:
    line = f"pool {pool.pid} on {pool.host}: {pool.ready_workers} of {pool.wanted_workers} workers run"
    if pool.deaths:
        line += f", {pool.deaths} ended within five minutes, the last one: {pool.last_end}"
    return line if pool.next_start_s is None else f"{line}; the next start is in {pool.next_start_s:.1f} s"


def _totals(status: Status) -> Text:
    totals = status.as_json()["totals"]
    lost = f", {totals['lost_workers']} lost" if totals["lost_workers"] else ""
    if not status.serving:
        hint = "its pool starts it again" if status.pools else "start one with `lualoft worker`"
        return Text(f"no worker runs{lost}: {hint}", style="yellow")
    return Text(
        f"{totals['workers']} workers{lost}, {totals['invocations']:,} invocations, {totals['rate_per_s']:,.0f}/s, "
        f"{totals['in_flight']:,} in flight, {totals['waiting_chunks']:,} chunks waiting"
    )
