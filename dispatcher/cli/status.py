"""`lualoft status`: queues, workers and rates, once or again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.interrupt import raise_on_interrupt
from dispatcher.cli.redis_answers import redis_answers
from dispatcher.cli.status_data import read_status
from dispatcher.cli.terminal import is_terminal, safe_json
from dispatcher.cli.up_file import is_trusted, up_file_path
from dispatcher.protocol.connection import connect_sync, describe, translated
from dispatcher.protocol.errors import SettingsError, UnavailableError
from dispatcher.protocol.redis_check import find_troubles
from dispatcher.protocol.sealing import Seal
from dispatcher.protocol.settings_source import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.cli.status_report import Status
    from dispatcher.protocol.settings import Settings

#: Seconds between two looks of `--watch`.
WATCH_EVERY_S: Final = 1.0


@click.command("status", short_help="Show queues, workers and rates.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object; with --watch one per line.")
@click.option("--watch", "is_watched", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.pass_obj
def command(options: GlobalOptions, *, is_json: bool, is_watched: bool) -> int:
    """Show queues, workers and rates.

    Without a configured Redis it shows the `lualoft up` of this user.
    """
    settings, origin = _settings(options)
    redis_settings = settings.redis
    seal = Seal.from_keys([settings.key.reveal()]) if settings.key else None
    address = describe(redis_settings.url)
    with connect_sync(redis_settings) as redis:
        # Once: the set-up of a server hardly changes under a watch. The one of `lualoft up` is to keep nothing.
        warnings = [] if origin else find_troubles(redis)

        def look() -> Status:
            try:
                with redis_answers(redis_settings), translated(redis_settings):
                    return read_status(redis, address, warnings, seal)
            except UnavailableError as exc:
                raise UnavailableError(f"{exc}{origin}") from exc

        if is_json:
            _show_json(look, is_watched=is_watched)
        else:
            _show_tables(look, is_watched=is_watched)
    return exit_codes.OK


def _settings(options: GlobalOptions) -> tuple[Settings, str]:
    """Return the settings that say where to look, and what to add to an error about that."""
    settings = options.load().settings
    if settings.redis.url:
        return settings, ""
    path = up_file_path(options.environ)
    if not is_trusted(path):
        raise SettingsError(
            "redis.url",
            "no Redis is configured, and no `lualoft up` of this user runs",
            allowed="--redis-url, LUALOFT_REDIS_URL, or url under [redis] in the settings file",
        )
    found = load_settings(toml_path=str(path), environ={}, flags={}).settings
    return found, f"; the `lualoft up` that wrote {path} seems to be gone"


def _show_json(look: Callable[[], Status], *, is_watched: bool) -> None:
    raise_on_interrupt()
    while True:
        click.echo(safe_json(look().as_json()))
        if not is_watched:
            return
        time.sleep(WATCH_EVERY_S)


def _show_tables(look: Callable[[], Status], *, is_watched: bool) -> None:
    from dispatcher.cli.status_view import live_view, plain_text

    raise_on_interrupt()
    if not is_watched:
        click.echo(plain_text(look(), is_styled=is_terminal()), nl=False)
        return
    if is_terminal():
        live_view(look, WATCH_EVERY_S)
        return
    while True:
        click.echo(plain_text(look(), is_styled=False))
        time.sleep(WATCH_EVERY_S)
