"""What SCRIPT on the command line stands for, and the options that say how it is run.

`run` and `batch` share it.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from dispatcher.catalog import Catalog, Script
from dispatcher.protocol.errors import ScriptUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import Settings

#: SCRIPT or INPUT that stands for standard input.
STDIN: Final = "-"

#: Name under which a script from standard input appears in Lua's messages.
STREAM_NAME: Final = "stdin"

_DIALECTS: Final = ("2.3", "2.4")
_LUA_VERSIONS: Final = ("5.1", "5.2", "5.3", "5.4", "5.5", "luajit")

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True)
class ScriptOptions:
    """How a script of the command line is run; None: as the settings say."""

    dialect: str | None
    lua: str | None
    #: For `script_init`; may hold credentials.
    settings: dict[str, str] = dataclasses.field(repr=False)


def script_options(function: F) -> F:
    """Add `--dialect`, `--lua` and `-x` to a command."""
    for option in reversed(
        [
            click.option("--dialect", type=click.Choice(_DIALECTS), help="Dovecot line the script was written for."),
            click.option("--lua", type=click.Choice(_LUA_VERSIONS), help="Lua that runs it."),
            click.option(
                "-x",
                "--setting",
                "settings",
                metavar="KEY=VALUE",
                multiple=True,
                callback=_parse_settings,
                help="A setting for the script's script_init; may be repeated.",
            ),
        ]
    ):
        function = option(function)
    return function


def _parse_settings(_ctx: click.Context, _param: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            # Not quoted: it may be a password that lost its name.
            raise click.BadParameter("a setting is written KEY=VALUE")
        settings[key] = value
    return settings


def find_script(name: str, settings: Settings, options: ScriptOptions) -> Script:
    """Return the script that SCRIPT stands for: `-`, a name that the settings know, or a file.

    Raises:
        ScriptNotFoundError: neither a known name nor a file.
        ScriptUnreadableError: it cannot be read.
    """
    script = _find(name, settings)
    return dataclasses.replace(
        script,
        dialect=options.dialect or script.dialect,
        lua=options.lua or script.lua,
        settings={**script.settings, **options.settings},
    )


def _find(name: str, settings: Settings) -> Script:
    if name == STDIN:
        return Script.from_stream(STREAM_NAME, _read_stdin(), lua=settings.lua.version)
    catalog = Catalog(settings)
    # `auth.lua` in the current directory never hides the script that the settings call `auth`.
    if name not in catalog.names() and (os.sep in name or name.endswith(".lua") or Path(name).exists()):
        return Script.from_file(name, lua=settings.lua.version)
    return catalog.find(name)


def _read_stdin() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except OSError as exc:
        raise ScriptUnreadableError("standard input", exc.strerror or str(exc)) from exc
