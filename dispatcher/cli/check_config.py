"""`lualoft check-config`: the settings in effect, secrets masked, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dispatcher.catalog import Catalog
from dispatcher.cli import exit_codes
from dispatcher.cli.terminal import safe_json, safe_line, tell
from dispatcher.protocol.connection import describe, require_key
from dispatcher.protocol.errors import LualoftError
from dispatcher.protocol.secret import MASK, Secret
from dispatcher.protocol.settings_check import key_file_doubts, limit_doubts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings


@click.command("check-config", short_help="Show the settings and where each came from.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object: name -> value and origin.")
@click.pass_obj
def command(options: GlobalOptions, *, is_json: bool) -> int:
    """Show every setting, with secrets masked, and where its value came from.

    A later source wins: defaults, the settings file, LUALOFT_* variables, options. The exit code is 78 when a setting
    is unknown or cannot be used, when the configured Redis needs a key, or when a script's file cannot be read. What
    is allowed and may not be meant is told as a warning.
    """
    loaded = options.load()
    shown = {name: shown_value(loaded.settings, name) for name in sorted(loaded.origins)}
    if is_json:
        rows = {name: {"value": value, "origin": loaded.origins[name]} for name, value in shown.items()}
        click.echo(safe_json(rows))
    else:
        width = max(map(len, shown))
        for name, value in shown.items():
            click.echo(safe_line(f"{name:{width}}  {safe_json(value)}  ({loaded.origins[name]})"))
    for doubt in (*key_file_doubts(loaded.settings), *limit_doubts(loaded.settings)):
        tell(f"lualoft: warning: {doubt}")
    problems = list(_problems(loaded.settings))
    for problem in problems:
        tell(f"lualoft: {problem}")
    return exit_codes.SETTINGS if problems else exit_codes.OK


def shown_value(settings: Settings, name: str) -> Any:  # noqa: ANN401 - whatever the setting holds
    """Return the value of a setting as it may be seen."""
    if name.startswith("scripts."):
        script, _, field = name.removeprefix("scripts.").rpartition(".")
        value = getattr(settings.scripts[script], field)
        # What a script is told often holds a password for its back-end.
        return dict.fromkeys(value, MASK) if field == "settings" else value
    if name.startswith("dicts."):
        dict_name, _, field = name.removeprefix("dicts.").rpartition(".")
        value = getattr(settings.dicts[dict_name], field)
        return describe(value) if field == "url" and value else _masked(value)
    value = settings
    for part in name.split("."):
        value = getattr(value, part)
    return describe(value) if name == "redis.url" and value else _masked(value)


def _masked(value: Any) -> Any:  # noqa: ANN401 - whatever the setting holds
    return str(value) if isinstance(value, Secret) else value


def _problems(settings: Settings) -> Iterator[str]:
    try:
        require_key(settings)
    except LualoftError as exc:
        yield str(exc)
    catalog = Catalog(settings)
    for name in settings.scripts:
        try:
            catalog.find(name)
        except LualoftError as exc:
            yield f"scripts.{name}: {exc}"
