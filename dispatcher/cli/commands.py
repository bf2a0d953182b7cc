"""The table of sub-commands, and the click group that loads a sub-command when its name is typed.

`app` uses it. Sub-commands are named by strings: those of the worker side live in `workers.cli`, which this side must
not import, and a command that needs no Redis must not wait for its libraries. A test loads every string.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator


class CommandEntry(NamedTuple):
    """Where a sub-command lives and what the overview says about it."""

    name: str
    #: `module:attribute` of the click command.
    target: str
    summary: str


#: Heading of the overview -> its sub-commands, in the order in which a newcomer meets them.
COMMANDS: Final[dict[str, tuple[CommandEntry, ...]]] = {
    "Try it on this machine, without any set-up": (
        CommandEntry("demo", "dispatcher.cli.demo.command:command", "Check a file of made-up logins, show the result."),
        CommandEntry("run", "dispatcher.cli.run:command", "Call one function of a script and print what it returns."),
        CommandEntry("batch", "dispatcher.cli.batch:command", "Call a function for every line of a file."),
        CommandEntry(
            "auth", "dispatcher.cli.auth.command:command", "Try an auth script: log in, look users up, list them."
        ),
        CommandEntry("up", "dispatcher.cli.up:command", "Start server and workers here, until Ctrl-C."),
    ),
    "Run it for others": (
        CommandEntry("worker", "workers.cli.worker:command", "Run the workers of this machine on a shared Redis."),
        CommandEntry("status", "dispatcher.cli.status:command", "Show queues, workers and rates."),
        CommandEntry("dict", "workers.cli.dict.command:command", "Look at and change dicts, like doveadm dict."),
    ),
    "Set it up": (
        CommandEntry("keygen", "dispatcher.cli.keygen:command", "Print a new key to seal messages with."),
        CommandEntry("pw", "workers.cli.pw:command", "Make or test a password hash, like doveadm pw."),
        CommandEntry(
            "check-config", "dispatcher.cli.check_config:command", "Show the settings and where each came from."
        ),
    ),
}

_BY_NAME: Final = {entry.name: entry for entries in COMMANDS.values() for entry in entries}


class LazyGroup(click.Group):
    """A click group over `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all names, for completion and for "did you mean"."""
        return list(_BY_NAME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Load one."""
        entry = _BY_NAME.get(cmd_name)
        return None if entry is None else load_command(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the overview from the table, without loading anything."""
        width = max(map(len, _BY_NAME))
        for heading, rows in _overview():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])


def load_command(entry: CommandEntry) -> click.Command:
    """Import the module of a sub-command."""
    module, _, attribute = entry.target.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


def _overview() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for heading, entries in COMMANDS.items():
        yield heading, [(entry.name, entry.summary) for entry in entries]
