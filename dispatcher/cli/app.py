"""One command line of `lualoft`: parses the global options, runs a sub-command, turns every error into a sentence.

`main` calls it. Sub-commands return an exit code of `exit_codes` or raise a LualoftError; no foreseeable mistake shows
a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.commands import LazyGroup
from dispatcher.cli.global_options import GlobalOptions
from dispatcher.protocol.errors import LualoftError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
\b
Begin with:
  lualoft demo
  lualoft run script.lua FUNCTION ARGUMENT

\b
Exit codes: 0 ok, 1 the script failed, 2 wrong usage, 75 temporary failure
(try again later), 78 wrong settings.
"""


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="PATH", help="Settings file (TOML). Default: the one that LUALOFT_CONFIG names.")
@click.option("--redis-url", metavar="URL", help="Use this Redis. Put a URL with a password into LUALOFT_REDIS_URL.")
@click.option("-v", "--verbose", is_flag=True, help="Show the log of workers that this command starts.")
@click.version_option(package_name="lualoft", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, *, config: str | None, redis_url: str | None, verbose: bool) -> None:
    """Run Dovecot Lua scripts outside Dovecot.

    A queue in Redis takes the calls, a pool of workers runs them. Without any settings the commands that need a Redis
    start a private one and remove it when they end.
    """
    ctx.obj = GlobalOptions(config, redis_url, verbose, os.environ)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    code = _guarded(arguments)
    # None: somebody closed it, as in `>&-`.
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError as exc:
            code = _output_failed(exc)
    return code


def _guarded(arguments: Sequence[str]) -> int:
    try:
        # Not `cli.main`: it would turn a broken pipe into exit code 1, which means that a script failed.
        with cli.make_context("lualoft", list(arguments)) as ctx:
            return int(cli.invoke(ctx) or exit_codes.OK)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        _hint_at_place(exc)
        return exc.exit_code
    except LualoftError as exc:
        click.echo(f"lualoft: {exc}", err=True)
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        return exit_codes.INTERRUPTED
    except OSError as exc:
        if exc.errno not in {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise
        return _output_failed(exc)


def _hint_at_place(error: click.ClickException) -> None:
    """Say where a global option belongs; people write it behind the sub-command."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None or error.ctx.parent is None:
        return
    if any(error.option_name in param.opts for param in cli.params):
        click.echo(f"{error.option_name} stands before the sub-command: lualoft {error.option_name} ...", err=True)


def _output_failed(exc: OSError) -> int:
    """Give standard output up: what is still buffered would fail again, with a traceback, when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
    if isinstance(exc, BrokenPipeError):
        return exit_codes.READER_GONE
    click.echo(f"lualoft: cannot write the output: {exc.strerror}", err=True)
    return exit_codes.TEMPORARY
