"""`lualoft worker`: the workers of this machine in the foreground, on a Redis that others share.

Named by a string in `dispatcher.cli.commands`, because that side must not import this one. Stops as `python -m workers`
does: Ctrl-C or SIGTERM drains, a second one does not wait.
"""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Final, Protocol

import click

from dispatcher.protocol.connection import connect_sync, describe, require_key
from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.redis_check import find_troubles
from workers.core_dumps import forbid_core_dumps
from workers.log_queue import queue_stderr
from workers.log_setup import set_up_logging
from workers.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dispatcher.protocol.settings import Settings
    from dispatcher.protocol.settings_source import LoadedSettings

_log: Final = logging.getLogger("lualoft.pool")

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class LoadsSettings(Protocol):
    """What the command line hands to its sub-commands."""

    def load(self, flags: Mapping[str, object] | None = None) -> LoadedSettings:
        """Read the settings; `flags` are those of the sub-command's own options."""


@click.command("worker", short_help="Run the workers of this machine on a shared Redis.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes. Default: one per core.")
@click.option("--queue", metavar="NAME", help="Queue to listen on.")
@click.pass_obj
def command(options: LoadsSettings, *, workers: int | None, queue: str | None) -> int:
    """Run the workers of this machine on a shared Redis, in the foreground.

    It needs the address of the Redis and the key that all machines share. A Redis that is away is waited for. Ctrl-C or
    SIGTERM lets the running calls finish; a second one does not wait for them.
    """
    settings = options.load({"pool.workers": workers, "dispatch.queue": queue}).settings
    if not settings.redis.url:
        raise SettingsError(
            "redis.url",
            "a worker needs a Redis that its callers reach too; for one machine alone there is `lualoft up`",
            allowed="--redis-url, LUALOFT_REDIS_URL, or url under [redis] in the settings file",
        )
    require_key(settings)
    run_pool(settings)
    return 0


def run_pool(settings: Settings) -> None:
    """Run until a signal asks for the end."""
    forbid_core_dumps()
    queue_stderr()
    set_up_logging(settings.log)
    _warn_about_redis(settings)
    queue, address = settings.dispatch.queue, describe(settings.redis.url)
    pool = Pool(settings, lambda count: _log.info("%d workers listen on queue %s of %s", count, queue, address))
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: pool.stop())
    pool.run()


def _warn_about_redis(settings: Settings) -> None:
    # Once for the machine, not per worker; a Redis that is away is waited for later, by those who need it.
    with connect_sync(settings.redis, retry_count=0) as redis:
        for trouble in find_troubles(redis):
            _log.warning("%s", trouble)
