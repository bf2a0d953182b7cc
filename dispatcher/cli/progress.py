"""Shows how far a batch is: a bar on a terminal, a plain line every few seconds anywhere else.

`batch` and `demo` run `show_progress` beside their run. It only looks at counts; standard output is not its business.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher.cli.terminal import tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Seconds between two plain lines.
PLAIN_EVERY_S: Final = 5.0

#: Seconds between two looks of the bar.
BAR_EVERY_S: Final = 0.2


class Counted(Protocol):
    """What is looked at."""

    @property
    def line_count(self) -> int:
        """Lines that are done."""


class Read(Protocol):
    """How much of the input was read."""

    bytes_read: int


@asynccontextmanager
async def show_progress(run: Counted, source: Read, size_bytes: int) -> AsyncIterator[None]:
    """Show the progress of a run while the body runs.

    Args:
        run: what is counted.
        source: the input.
        size_bytes: size of the input; 0: unknown.
    """
    follow = _follow_bar if sys.stderr.isatty() else _follow_plain
    task = asyncio.ensure_future(follow(run, source, size_bytes))
    try:
        yield
    finally:
        task.cancel()
        # It puts the terminal back in order.
        await asyncio.gather(task, return_exceptions=True)


async def _follow_plain(run: Counted, source: Read, size_bytes: int) -> None:
    before, before_s = 0, time.monotonic()
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        count, now_s = run.line_count, time.monotonic()
        share = f" ({source.bytes_read / size_bytes:.0%} read)" if size_bytes else ""
        tell(f"lualoft: {count:,} lines{share}, {(count - before) / (now_s - before_s):,.0f}/s")
        before, before_s = count, now_s


async def _follow_bar(run: Counted, source: Read, size_bytes: int) -> None:
    # Loaded here: without a terminal nobody needs it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
    )
    started_s = time.monotonic()
    # No refresh thread: it would take turns from the event loop.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=size_bytes or None, lines=0, rate=0.0)
        while True:
            rate = run.line_count / max(time.monotonic() - started_s, BAR_EVERY_S)
            progress.update(task, completed=source.bytes_read, lines=run.line_count, rate=rate)
            progress.refresh()
            await asyncio.sleep(BAR_EVERY_S)
