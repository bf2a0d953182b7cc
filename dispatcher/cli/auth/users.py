"""`lualoft auth users`: lists the users of a userdb, like `doveadm user '*'`."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.batch_json import text_or_base64
from dispatcher.cli import exit_codes
from dispatcher.cli.auth.inquiry import Inquiry, ask, find_scripts, inquiry_options, tell_logs
from dispatcher.cli.auth.report import bytes_of, text
from dispatcher.cli.terminal import safe_json, tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dispatcher.auth import Auth
    from dispatcher.cli.global_options import GlobalOptions

#: Every name.
_ALL: Final = "*"

#: Names are written as soon as they fill so many bytes.
_BLOCK_BYTES: Final = 64 * 1024

_STDOUT: Final = 1


@click.command("users", short_help="List the users of a userdb.")
@click.argument("script")
@click.argument("mask", default=_ALL)
@inquiry_options
@click.pass_obj
def command(
    options: GlobalOptions,
    /,
    *,
    script: str,
    mask: str,
    **inquiry: Any,  # noqa: ANN401 - the fields of Inquiry
) -> int:
    """List the users that SCRIPT's auth_userdb_iterate knows, one on a line, as they come.

    MASK picks some: * stands for any text, ? for one byte; case does not matter. No match is no failure.

    \b
    Exit codes: 0 listed; 2 wrong usage; 75 the list is not complete: the script
    failed, no answer in time, no Redis; 78 wrong settings.
    """  # noqa: D301 - click's mark for lines that are kept as they are
    chosen = Inquiry.of(inquiry)
    (found,) = find_scripts(options, [script], chosen)

    async def list_users(auth: Auth) -> int:
        from dispatcher.batch_output import LineWriter

        # On a thread of its own: a reader that has stopped reading must not keep Ctrl-C from ending us.
        writer = LineWriter(_STDOUT, "standard output")
        try:
            names = auth.iterate(found)
            async for block in _blocks(names, mask_pattern(mask), is_json=chosen.is_json):
                await writer.write(block)
        finally:
            writer.close()
        return exit_codes.OK

    return ask(options, chosen, list_users, on_answer=lambda answer: tell_logs([answer]), on_unavailable=_fail)


def mask_pattern(mask: str) -> re.Pattern[bytes] | None:
    """Return what a name must match; None if every name does."""
    if not mask.strip(_ALL) and mask:
        return None
    # fnmatch's brackets are none in Dovecot. Its patterns take linear time, however many stars there are.
    literal = bytes_of(mask).decode("latin-1").replace("[", "[[]")
    return re.compile(fnmatch.translate(literal).encode("latin-1"), re.IGNORECASE)


async def _blocks(
    names: AsyncIterator[bytes], pattern: re.Pattern[bytes] | None, *, is_json: bool
) -> AsyncIterator[bytes]:
    """Yield the lines of the names that match, many at a time; those before a failure too."""
    from dispatcher.auth import IterationError

    lines: list[str] = []
    size_bytes = 0
    try:
        async for name in names:
            if pattern is not None and not pattern.match(name):
                continue
            lines.append(safe_json({"user": text_or_base64(name)}) if is_json else text(name))
            size_bytes += len(name)
            if size_bytes >= _BLOCK_BYTES:
                yield _joined(lines)
                lines, size_bytes = [], 0
    except IterationError:
        yield _joined(lines)
        raise
    yield _joined(lines)


def _joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _fail(reason: str) -> int:
    tell(f"lualoft: {reason}")
    return exit_codes.TEMPORARY
