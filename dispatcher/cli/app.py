"""One command line of `lualoft`: parses the global options, runs a sub-command, turns every error into a sentence.

`main` calls it. Sub-commands return an exit code of `exit_codes` or raise a LualoftError; no foreseeable mistake shows
a traceback.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.commands import LazyGroup
from dispatcher.cli.global_options import GlobalOptions
from dispatcher.cli.terminal import discard, tell
from dispatcher.protocol.errors import LualoftError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\
\b
Begin with:
  lualoft demo
  lualoft run script.lua FUNCTION ARGUMENT

\b
Exit codes: 0 ok, 1 the script failed or said no, 2 wrong usage,
67 no such user, 70 internal error, 75 temporary failure (try again later),
78 wrong settings.
"""

_STDOUT: Final = 1

#: Errors of the system that are about standard output, as everything else that is written says so itself.
_OUTPUT_ERRORS: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})

#: Errors of the system that say: too much at the moment.
_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


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
    context: click.Context | None = None
    try:
        # Not `cli.main`: it would turn a broken pipe into exit code 1, which means that a script failed.
        with cli.make_context("lualoft", list(arguments)) as context:
            return int(cli.invoke(context) or exit_codes.OK)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        _show_usage_error(exc)
        return exc.exit_code
    except LualoftError as exc:
        tell(f"lualoft: {exc}")
        return exc.exit_code
    except (KeyboardInterrupt, click.Abort):
        return exit_codes.INTERRUPTED
    # The last resort; what is foreseen was caught where it was read.
    except Exception as exc:  # noqa: BLE001 - a sentence and an exit code are made of it
        is_verbose = context is not None and bool(context.params.get("verbose"))
        return _unforeseen(exc, is_verbose=is_verbose)


def _show_usage_error(exc: click.ClickException) -> None:
    # click would write to standard output when there is no standard error, and fail when that is full.
    text = io.StringIO()
    exc.show(text)
    tell(text.getvalue(), nl=False)
    _hint_at_place(exc)


def _unforeseen(exc: Exception, *, is_verbose: bool) -> int:
    """Tell what went wrong, without any value that may be in the error's own words; returns the exit code."""
    if isinstance(exc, OSError) and exc.errno in _OUTPUT_ERRORS:
        return _output_failed(exc)
    if is_verbose:
        tell("".join(traceback.format_exception(exc)), nl=False)
    if isinstance(exc, OSError) and exc.errno in _SHORTAGES:
        tell(f"lualoft: the system refuses: {exc.strerror}")
        return exit_codes.TEMPORARY
    if isinstance(exc, MemoryError):
        tell("lualoft: out of memory")
        return exit_codes.TEMPORARY
    tell(f"lualoft: internal error: {type(exc).__name__}" + ("" if is_verbose else "; `lualoft -v ...` says where"))
    return exit_codes.INTERNAL


def _hint_at_place(error: click.ClickException) -> None:
    """Say where a global option belongs; people write it behind the sub-command."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None or error.ctx.parent is None:
        return
    if any(error.option_name in param.opts for param in cli.params):
        tell(f"{error.option_name} stands before the sub-command: lualoft {error.option_name} ...")


def _output_failed(exc: OSError) -> int:
    """Give standard output up and say why; returns the exit code."""
    discard(_STDOUT)
    if isinstance(exc, BrokenPipeError):
        return exit_codes.READER_GONE
    tell(f"lualoft: cannot write the output: {exc.strerror}")
    return exit_codes.TEMPORARY
