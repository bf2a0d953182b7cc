"""Where a command's calls go: the configured Redis with its workers, or a server and a pool of its own.

`run`, `batch`, `demo` and `up` enter it. What it starts ends with the command, even when that is killed.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from dispatcher.cli.interrupt import raise_on_interrupt
from dispatcher.cli.redis_answers import redis_answers
from dispatcher.cli.worker_log import WorkerLog
from dispatcher.embedded import EmbeddedServer
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import require_key
from dispatcher.protocol.errors import UnavailableError
from dispatcher.protocol.sealing import generate_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.protocol.settings import Settings

#: What workers of our own log while nobody looks: their trouble.
QUIET_LEVEL: Final = "warning"

#: Seconds that workers of our own have to finish at the end: only calls that nobody waits for any more still run then.
OWN_GRACE_S: Final = 1.0


@contextmanager
def open_backend(
    options: GlobalOptions, flags: Mapping[str, object] | None = None, *, workers: int | None = None
) -> Iterator[Settings]:
    """Yield the settings under which calls are answered; from here on Ctrl-C cleans up.

    Args:
        options: the global options.
        flags: dotted name -> value of the sub-command's own options.
        workers: size of the pool if one is started; None: as the settings say.

    Raises:
        SettingsError: the settings cannot be used, or there is no key for the configured Redis.
        UnavailableError: server or workers do not start.
    """
    settings = options.load(flags).settings
    if settings.redis.url:
        require_key(settings)
        raise_on_interrupt()
        with redis_answers(settings.redis):
            yield settings
        return
    with open_own_backend(options, flags, workers=workers) as private:
        yield private


@contextmanager
def open_own_backend(
    options: GlobalOptions, flags: Mapping[str, object] | None = None, *, workers: int | None = None
) -> Iterator[Settings]:
    """Start a private server and a pool, whatever the settings say; all else as `open_backend`."""
    level = None if options.is_verbose else QUIET_LEVEL
    raise_on_interrupt()
    own = {**(flags or {}), "pool.workers": workers, "pool.grace_s": OWN_GRACE_S, "log.level": level}
    with open_server(options, own) as (_, private), _open_pool(private, is_quiet=not options.is_verbose):
        yield private


@contextmanager
def open_server(options: GlobalOptions, flags: Mapping[str, object]) -> Iterator[tuple[EmbeddedServer, Settings]]:
    """Start a private server and yield it with settings that lead to it, a fresh key among them."""
    with EmbeddedServer() as server:
        # The layer of the flags is the last one: a key of the environment is for another Redis.
        yield server, options.load({**flags, "redis.url": server.url, "key": generate_key()}).settings


@contextmanager
def _open_pool(settings: Settings, *, is_quiet: bool) -> Iterator[None]:
    log = WorkerLog()
    with ExitStack() as stack:
        pool = LocalPool(settings, stderr=stack.enter_context(log.descriptor()) if is_quiet else None)
        try:
            pool.__enter__()
            # The pool has its end of the log; without ours, the log ends when the pool does.
            stack.close()
            yield
        except UnavailableError:
            stack.close()
            log.show()
            raise
        except BaseException:
            # Ctrl-C, a reader that is gone: nobody waits for what the workers still run.
            _abandon(pool)
            raise
        finally:
            pool.stop()


def _abandon(pool: LocalPool) -> None:
    # Asked to stop twice, by this signal and by the end of its standard input, the pool does not wait.
    if pool.pid:
        os.kill(pool.pid, signal.SIGTERM)
