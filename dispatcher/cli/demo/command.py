"""`lualoft demo`: the main job on shipped input, so that a newcomer sees it work within seconds.

Login attempts go through a private server, its queue and two workers to a shipped script, which looks into a shipped
table of users. Everything is made up; passwords are in the input and never in the output.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.demo.result import DemoResult, Verdict
from dispatcher.cli.files import open_input, open_output, size_of
from dispatcher.cli.terminal import tell

if TYPE_CHECKING:
    from dispatcher.batch import BatchCall
    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings

#: Package that holds the data.
_PACKAGE: Final = "dispatcher.cli.demo"
_SCRIPT: Final = "table_users.lua"
_USERS: Final = "users.csv"
_ATTEMPTS: Final = "login_attempts.jsonl"

_FUNCTION: Final = "auth_password_verify"

#: Checks in flight: a busy mail server, not the largest rate.
_IN_FLIGHT: Final = 256


@click.command("demo", short_help="Check a file of made-up logins, show the result.")
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Workers to start."
)
@click.option(
    "-o", "--output", metavar="FILE", help="Where the outcomes go. Default: a new file in the temporary folder."
)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.pass_obj
def command(options: GlobalOptions, *, workers: int, output: str | None, force: bool) -> int:
    """Check a file of made-up login attempts and show the result.

    The attempts go through a private Redis server, a queue and worker processes to the shipped script table_users.lua,
    exactly as `lualoft batch` would send them. Needs no set-up and leaves nothing behind but the file of outcomes.
    """
    path = output or _new_path()
    with ExitStack() as stack:
        folder = stack.enter_context(resources.as_file(resources.files(_PACKAGE)))
        source = stack.enter_context(open_input(str(folder / _ATTEMPTS)))
        target = stack.enter_context(open_output(path, source, may_overwrite=force or output is None))
        # Loaded here: a mistake in the options shows without waiting for Redis's and RQ's libraries.
        from dispatcher.batch import BatchCall
        from dispatcher.catalog import Script
        from dispatcher.cli.backend import open_own_backend
        from dispatcher.cli.demo.view import show_result
        from dispatcher.cli.event_loop import run_on_loop
        from dispatcher.protocol.settings import ScriptSettings

        tell(f"starting a server and {workers} workers ...")
        settings = stack.enter_context(open_own_backend(options, workers=workers))
        script = Script.from_file(folder / _SCRIPT, ScriptSettings(settings={"users": str(folder / _USERS)}))
        call = BatchCall(
            script, _FUNCTION, settings.dispatch.deadline_s, first_in_flight=_IN_FLIGHT, max_in_flight=_IN_FLIGHT
        )
        result = run_on_loop(_check(settings, call, source, target))
        show_result(result, workers, _IN_FLIGHT, path)
    return exit_codes.FAILED if result.verdicts[Verdict.FAILURE] else exit_codes.OK


def _new_path() -> str:
    with tempfile.NamedTemporaryFile(prefix="lualoft-demo-", suffix=".jsonl", delete=False) as file:
        return str(Path(file.name))


async def _check(settings: Settings, call: BatchCall, source: int, target: int) -> DemoResult:
    from dispatcher.batch import BatchRun
    from dispatcher.batch_input import json_records, lines_of
    from dispatcher.batch_output import LineWriter
    from dispatcher.batch_source import RecordSource
    from dispatcher.cli.progress import show_progress
    from dispatcher.client import AsyncDispatcher

    limit_bytes = settings.dispatch.max_invocation_bytes
    async with AsyncDispatcher(settings) as dispatcher:
        result = DemoResult()
        run = BatchRun(dispatcher, call, LineWriter(target, "the outcomes"))
        run.on_asked, run.on_outcome = result.watch, result.count
        parse = partial(json_records, limit_bytes=limit_bytes)
        records = RecordSource(source, _ATTEMPTS, lambda blocks: parse(lines_of(blocks, limit_bytes)))
        async with show_progress(run, records, size_of(source)):
            await run.run(records)
    return result
