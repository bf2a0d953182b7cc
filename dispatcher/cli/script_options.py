"""What SCRIPT on the command line stands for, and the options that say how it is run.

`run`, `batch` and the `auth` commands share it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from dispatcher.catalog import MAX_SOURCE_BYTES, Catalog, Script
from dispatcher.protocol.errors import ScriptUnreadableError
from dispatcher.protocol.settings import MAX_DURATION_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.protocol.settings import Settings

#: SCRIPT or INPUT that stands for standard input.
STDIN: Final = "-"

#: Name under which a script from standard input appears in Lua's messages.
STREAM_NAME: Final = "stdin"

#: The same in our own messages.
_STDIN_NAME: Final = "standard input"

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
    return _add_options(function, "-x", "--setting")


def script_options_without_x(function: F) -> F:
    """Add the same to a command whose `-x` is something else: the setting has its long name only."""
    return _add_options(function, "--setting")


def _add_options(function: F, *setting_names: str) -> F:
    for option in reversed(
        [
            click.option("--dialect", type=click.Choice(_DIALECTS), help="Dovecot line the script was written for."),
            click.option("--lua", type=click.Choice(_LUA_VERSIONS), help="Lua that runs it."),
            click.option(
                *setting_names,
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
        if not _is_utf8(pair):
            raise click.BadParameter("a setting is UTF-8 text")
        settings[key] = value
    return settings


def _is_utf8(text: str) -> bool:
    # Bytes of an argument that are not UTF-8 arrive as lone surrogates.
    return not any("\ud800" <= char <= "\udfff" for char in text)


def utf8_name(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    """Refuse a name that cannot be written on the wire; for click."""
    if not _is_utf8(name):
        raise click.BadParameter("a name is UTF-8 text")
    return name


def deadline_option(help_text: str) -> Callable[[F], F]:
    """Return `--deadline-s`; what is no number of seconds that the settings allow is wrong use."""
    seconds = click.FloatRange(min=0, max=MAX_DURATION_S, min_open=True)
    return click.option("--deadline-s", type=seconds, callback=_not_nan, metavar="SECONDS", help=help_text)


def _not_nan(_ctx: click.Context, _param: click.Parameter, seconds: float | None) -> float | None:
    # It compares as neither too small nor too large.
    if seconds is not None and math.isnan(seconds):
        raise click.BadParameter("nan is not a number of seconds")
    return seconds


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
    if not name:
        raise click.UsageError("SCRIPT is empty: it is a file, a name from the settings, or -")
    catalog = Catalog(settings)
    # `auth.lua` in the current directory never hides the script that the settings call `auth`.
    if name not in catalog.names() and (os.sep in name or name.endswith(".lua") or Path(name).exists()):
        return Script.from_file(name, lua=settings.lua.version)
    return catalog.find(name)


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise ScriptUnreadableError(_STDIN_NAME, "it is closed")
    try:
        source = sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1)
    except OSError as exc:
        raise ScriptUnreadableError(_STDIN_NAME, exc.strerror or str(exc)) from exc
    if len(source) > MAX_SOURCE_BYTES:
        raise ScriptUnreadableError(_STDIN_NAME, f"is larger than {MAX_SOURCE_BYTES} bytes")
    return source
