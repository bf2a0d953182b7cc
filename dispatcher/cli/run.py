"""`lualoft run`: calls one function of a script and prints what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.batch_json import JsonError, decode_value
from dispatcher.cli import exit_codes
from dispatcher.cli.render import print_human, print_json
from dispatcher.cli.script_options import ScriptOptions, deadline_option, find_script, script_options, utf8_name
from dispatcher.protocol.errors import ArgumentError, UnavailableError
from dispatcher.protocol.outcome import Outcome, OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dispatcher.catalog import Script
    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings

_JSON_OPTION: Final = "--arg-json"

#: Marks an argument as JSON until it is parsed; no argument of a process can hold a NUL.
_JSON_MARK: Final = "\0json:"


@dataclass(frozen=True)
class RunCall:
    """The call, as the command line gives it."""

    script: str
    function: str
    args: list[Any]
    is_json: bool
    queue: str | None
    deadline_s: float | None
    is_idempotent: bool


class _RunCommand(click.Command):
    """A command whose `--arg-json` keeps its place among the arguments; click would gather them apart."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, mark_json_arguments(args))


def mark_json_arguments(args: Sequence[str]) -> list[str]:
    """Turn each `--arg-json JSON` before `--` into one marked argument in the same place."""
    marked: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return [*marked, arg, *rest]
        if arg == _JSON_OPTION and (text := next(rest, None)) is not None:
            marked.append(_JSON_MARK + text)
        elif arg.startswith(f"{_JSON_OPTION}="):
            marked.append(_JSON_MARK + arg.removeprefix(f"{_JSON_OPTION}="))
        else:
            marked.append(arg)
    return marked


def _parse_arguments(_ctx: click.Context, _param: click.Parameter, args: tuple[str, ...]) -> list[Any]:
    return [
        _parse_json(arg.removeprefix(_JSON_MARK), number) if arg.startswith(_JSON_MARK) else arg
        for number, arg in enumerate(args, 1)
    ]


def _parse_json(text: str, number: int) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return decode_value(text.encode("utf-8", "surrogateescape"))
    except JsonError as exc:
        raise click.BadParameter(f"argument {number} is not JSON: {exc}") from exc


def _not_json(ctx: click.Context, param: click.Parameter, name: str) -> str:
    if name.startswith(_JSON_MARK):
        raise click.UsageError(f"{_JSON_OPTION} is an argument of the function: write it behind SCRIPT and FUNCTION")
    return utf8_name(ctx, param, name) if param.name == "function" else name


@click.command("run", cls=_RunCommand, short_help="Call one function of a script and print what it returns.")
@click.argument("script", callback=_not_json)
@click.argument("function", callback=_not_json)
@click.argument("args", nargs=-1, metavar="[ARG]...", callback=_parse_arguments)
@click.option(_JSON_OPTION, metavar="JSON", expose_value=False, help="An argument as JSON; may stand between others.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of the values.")
@deadline_option("Wait at most this long for the outcome.")
@click.option("--queue", metavar="NAME", help="Queue to call through.")
@click.option("--idempotent", "is_idempotent", is_flag=True, help="Run the call again if its worker dies.")
@script_options
@click.pass_obj
def command(
    options: GlobalOptions,
    /,
    *,
    dialect: str | None,
    lua: str | None,
    settings: dict[str, str],
    **call: Any,  # noqa: ANN401 - the fields of RunCall
) -> int:
    """Call FUNCTION of SCRIPT with the ARGs and print what it returns.

    SCRIPT is a file, a name from the settings, or - for standard input. Each ARG is passed as a string; --arg-json
    passes a number, true, null, a list or an object (a Lua table). Put -- before an ARG that begins with a dash.

    Values are printed one per line: text as it is, other bytes and control characters escaped, tables as JSON. What the
    script logs and why it failed goes to standard error. In JSON, a Lua string that is not UTF-8 is written as
    {"base64": "..."}; --arg-json takes that form too.

    \b
      lualoft run hello.lua greet world
      lualoft run auth.lua auth_password_verify --arg-json '{"user": "joe"}' secret

    The exit code is 0 when the function returned, whatever it returned: a login that was refused is a value too.
    1: the script failed. 75: no answer in time, no Redis, no worker.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    return run(options, RunCall(**call), ScriptOptions(dialect, lua, settings))


def run(options: GlobalOptions, call: RunCall, how: ScriptOptions) -> int:
    """Find the script, make the call, print the outcome; returns the exit code."""
    flags = {"dispatch.queue": call.queue, "dispatch.deadline_s": call.deadline_s}
    # Before anything is started: a mistake in the settings or the script's name shows at once.
    script = find_script(call.script, options.load(flags).settings, how)
    # Loaded here, so that a wrong command line is refused without waiting for Redis's and RQ's libraries.
    from dispatcher.cli.backend import open_backend
    from dispatcher.cli.event_loop import run_on_loop
    from dispatcher.client import AsyncDispatcher

    async def ask(settings: Settings) -> Outcome:
        async with AsyncDispatcher(settings) as dispatcher:
            return await dispatcher.call(script, call.function, *call.args, idempotent=call.is_idempotent)

    try:
        with open_backend(options, flags, workers=1) as settings:
            outcome = _outcome_of(lambda: run_on_loop(ask(settings)))
            # Before the workers drain, which may take a second.
            _show(outcome, script, is_json=call.is_json)
    except UnavailableError as exc:
        outcome = Outcome(0, OutcomeKind.UNAVAILABLE, error=str(exc))
        _show(outcome, script, is_json=call.is_json)
    return exit_codes.of_outcome(outcome)


def _show(outcome: Outcome, script: Script, *, is_json: bool) -> None:
    if is_json:
        print_json(outcome, script)
    else:
        print_human(outcome)


def _outcome_of(make_call: Callable[[], Outcome]) -> Outcome:
    """Make the call. That its arguments cannot travel is an outcome too, so that `--json` always prints its object."""
    try:
        return make_call()
    except ArgumentError as exc:
        return Outcome(0, OutcomeKind.REJECTED, error=str(exc))
