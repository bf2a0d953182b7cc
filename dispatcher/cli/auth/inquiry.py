"""What all `auth` commands share: their options, and the way to the workers.

A script is found before anything is started, so a wrong command line shows at once. A pool that cannot be reached is
told to the command instead of ending it: only the command knows how "nobody decided" is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.cli.script_options import (
    STDIN,
    ScriptOptions,
    deadline_option,
    find_script,
    script_options_without_x,
)
from dispatcher.cli.terminal import tell
from dispatcher.protocol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from dispatcher.auth import Answer, Auth
    from dispatcher.catalog import Script
    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings

#: What doveadm calls itself: scripts know by it that somebody tries a login by hand.
_PROTOCOL: Final = "doveadm"


@dataclass(frozen=True)
class Inquiry:
    """The options that all `auth` commands share."""

    #: Names in Dovecot 2.4 -> values, of `-x`.
    info: dict[str, str] = field(repr=False)
    is_json: bool
    queue: str | None
    deadline_s: float | None
    how: ScriptOptions

    @classmethod
    def of(cls, options: dict[str, Any]) -> Inquiry:
        """Take them from click's parameters."""
        how = ScriptOptions(options.pop("dialect"), options.pop("lua"), options.pop("settings"))
        # Listing users has no request, so no information about a client.
        return cls(options.pop("info", {}), how=how, **options)

    @property
    def flags(self) -> dict[str, object]:
        """What they set of the settings."""
        return {"dispatch.queue": self.queue, "dispatch.deadline_s": self.deadline_s}

    def request(self, user: str) -> dict[str, Any]:
        """Make the request for a user, with Dovecot's names.

        Raises:
            click.UsageError: no user has that name.
        """
        if not user:
            raise click.UsageError("USER is empty")
        return {"protocol": _PROTOCOL, **self.info, "user": user}


def inquiry_options(function: Any) -> Any:  # noqa: ANN401 - a click decorator
    """Add the options of every `auth` command."""
    for option in reversed(
        [
            click.option("--json", "is_json", is_flag=True, help="Print JSON, one object on a line."),
            deadline_option("Wait at most this long for each answer."),
            click.option("--queue", metavar="NAME", help="Queue to ask through."),
            script_options_without_x,
        ]
    ):
        function = option(function)
    return function


def find_scripts(options: GlobalOptions, names: Sequence[str], inquiry: Inquiry) -> list[Script]:
    """Return the scripts of the command line.

    Raises:
        ScriptNotFoundError, ScriptUnreadableError: one of them is not there.
        click.UsageError: two of them are standard input.
    """
    if names.count(STDIN) > 1:
        raise click.UsageError("only one script can be standard input")
    settings = options.load(inquiry.flags).settings
    return [find_script(name, settings, inquiry.how) for name in names]


def ask(
    options: GlobalOptions,
    inquiry: Inquiry,
    work: Callable[[Auth], Coroutine[Any, Any, int]],
    *,
    on_answer: Callable[[Answer], None] | None = None,
    on_unavailable: Callable[[str], int],
) -> int:
    """Open the way to the workers and do the work, output included: workers take a second to end.

    Args:
        options: the global options.
        inquiry: the command's.
        work: asks, shows and returns the exit code.
        on_answer: is told of each script's answer.
        on_unavailable: shows that nobody could be asked, and why; returns the exit code.
    """
    # Loaded here, so that a wrong command line is refused without waiting for Redis's and RQ's libraries.
    from dispatcher.auth import Auth
    from dispatcher.cli.backend import open_backend
    from dispatcher.cli.event_loop import run_on_loop
    from dispatcher.client import AsyncDispatcher

    async def connected(settings: Settings) -> int:
        async with AsyncDispatcher(settings) as dispatcher:
            return await work(Auth(dispatcher, on_answer=on_answer))

    try:
        with open_backend(options, inquiry.flags, workers=1) as settings:
            return run_on_loop(connected(settings))
    except UnavailableError as exc:
        return on_unavailable(str(exc))


def tell_logs(answers: Iterable[Answer]) -> None:
    """Show what scripts logged on standard error."""
    for line in (line for answer in answers for line in answer.outcome.logs):
        tell(f"{line.level}: {line.text}")
