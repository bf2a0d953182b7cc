"""`lualoft batch`: calls a function for every line of a file and writes what each call returned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli import batch_report
from dispatcher.cli.files import STANDARD, open_input, open_output, size_of
from dispatcher.cli.script_options import STDIN, ScriptOptions, deadline_option, find_script, script_options, utf8_name
from dispatcher.cli.terminal import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dispatcher.batch import BatchCall
    from dispatcher.batch_input import Record
    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings

#: JSON may write one byte of an argument as six characters.
_JSON_GROWTH = 6


@dataclass(frozen=True)
class BatchOptions:
    """The batch, as the command line gives it."""

    script: str
    function: str
    input_path: str
    output_path: str
    input_format: str | None
    is_forced: bool
    is_ordered: bool
    is_idempotent: bool
    deadline_s: float | None
    queue: str | None
    workers: int | None

    @property
    def is_csv(self) -> bool:
        """Is the input CSV rather than JSON lines?"""
        return self.input_format == "csv" or (self.input_format is None and self.input_path.lower().endswith(".csv"))


@click.command("batch", short_help="Call a function for every line of a file.")
@click.argument("script")
@click.argument("function", callback=utf8_name)
@click.argument("input_path", metavar="INPUT")
@click.option("-o", "--output", "output_path", metavar="OUTPUT", required=True, help="File to write; - for stdout.")
@click.option("--force", "is_forced", is_flag=True, help="Overwrite OUTPUT.")
@click.option(
    "--format", "input_format", type=click.Choice(["jsonl", "csv"]), help="Default: by INPUT's name, or jsonl."
)
@click.option("--ordered/--unordered", "is_ordered", default=True, help="Write outcomes in INPUT's order (default).")
@click.option(
    "--idempotent/--not-idempotent",
    "is_idempotent",
    default=True,
    help="May a call run a second time when its worker dies? (default: yes)",
)
@deadline_option("Time that each call has.")
@click.option("--queue", metavar="NAME", help="Queue to call through.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Workers to start when no Redis is configured."
)
@script_options
@click.pass_obj
def command(
    options: GlobalOptions,
    /,
    *,
    dialect: str | None,
    lua: str | None,
    settings: dict[str, str],
    **batch: Any,  # noqa: ANN401 - the fields of BatchOptions
) -> int:
    """Call FUNCTION of SCRIPT for every line of INPUT and write one line of JSON per call to OUTPUT.

    INPUT is JSON lines, {"id": "a1", "args": ["joe", 5, {"x": true}]}, or CSV with a header: the column `id` names the
    call, the other columns are its arguments in order, as strings. - is standard input.

    Each line of OUTPUT has the line number and id of the call, its outcome ("ok", "script_error", ...), the values,
    the error if there is one, what the script logged, and the times. A line that cannot be used is written as
    "rejected" with the reason, and the rest goes on. A Lua string that is not UTF-8 is written as {"base64": "..."};
    INPUT may hold that form too.

    The exit code is 0 when every line is ok, 75 when some may succeed if they are tried again, else 1.
    """
    return run(options, BatchOptions(**batch), ScriptOptions(dialect, lua, settings))


def run(options: GlobalOptions, batch: BatchOptions, how: ScriptOptions) -> int:
    """Open everything, run, sum up; returns the exit code."""
    if batch.script == STDIN and batch.input_path == STANDARD:
        raise click.UsageError("SCRIPT and INPUT cannot both be standard input")
    flags = {"dispatch.queue": batch.queue, "dispatch.deadline_s": batch.deadline_s}
    script = find_script(batch.script, options.load(flags).settings, how)
    with (
        open_input(batch.input_path) as source,
        open_output(batch.output_path, source, may_overwrite=batch.is_forced) as output,
    ):
        # Loaded here, so that a wrong command line is refused without waiting for Redis's and RQ's libraries.
        from dispatcher.batch import BatchCall
        from dispatcher.batch_window import MAX_IN_FLIGHT
        from dispatcher.cli.backend import open_backend
        from dispatcher.cli.event_loop import run_on_loop

        with open_backend(options, flags, workers=batch.workers) as settings:
            call = BatchCall(
                script,
                batch.function,
                settings.dispatch.deadline_s,
                is_idempotent=batch.is_idempotent,
                is_ordered=batch.is_ordered,
                max_in_flight=min(MAX_IN_FLIGHT, settings.dispatch.max_pending_invocations),
            )
            return run_on_loop(_run(settings, batch, call, source, output))


async def _run(settings: Settings, batch: BatchOptions, call: BatchCall, source: int, output: int) -> int:
    from dispatcher.batch import BatchRun
    from dispatcher.batch_output import LineWriter
    from dispatcher.batch_source import RecordSource
    from dispatcher.cli.progress import show_progress
    from dispatcher.client import AsyncDispatcher

    rejected = batch_report.RejectedLines()
    started_s = time.monotonic()
    async with AsyncDispatcher(settings) as dispatcher:
        run = BatchRun(dispatcher, call, LineWriter(output, batch.output_path))
        run.on_rejected = rejected.note
        records = RecordSource(source, batch.input_path, _parser(batch, settings))
        try:
            async with show_progress(run, records, size_of(source)):
                await run.run(records)
        finally:
            rejected.close()
            tell(f"lualoft: {batch_report.summary(run.counts, time.monotonic() - started_s)}")
    return batch_report.exit_code(run.counts)


def _parser(batch: BatchOptions, settings: Settings) -> Callable[[Iterator[bytes]], Iterator[Record]]:
    from dispatcher.batch_input import csv_records, json_records, lines_of

    limit_bytes = settings.dispatch.max_invocation_bytes * (1 if batch.is_csv else _JSON_GROWTH)
    parse = partial(csv_records if batch.is_csv else json_records, limit_bytes=limit_bytes)
    return lambda blocks: parse(lines_of(blocks, limit_bytes))
