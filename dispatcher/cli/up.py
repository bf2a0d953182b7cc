"""`lualoft up`: server and workers on this machine, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import click

from dispatcher.cli import exit_codes
from dispatcher.cli.backend import open_server
from dispatcher.cli.interrupt import raise_on_interrupt
from dispatcher.cli.terminal import tell
from dispatcher.cli.up_file import written_up_file
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import describe, require_key
from dispatcher.protocol.errors import UnavailableError

if TYPE_CHECKING:
    from dispatcher.cli.global_options import GlobalOptions
    from dispatcher.embedded import EmbeddedServer
    from dispatcher.protocol.settings import Settings

#: Seconds between two looks at the server.
LOOK_EVERY_S: Final = 1.0

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class _Event(Enum):
    STOP = auto()
    POOL_ENDED = auto()


@click.command("up", short_help="Start server and workers here, until Ctrl-C.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Worker processes. Default: one per core.")
@click.option("--queue", metavar="NAME", help="Queue to listen on.")
@click.pass_obj
def command(options: GlobalOptions, *, workers: int | None, queue: str | None) -> int:
    """Start a private server and workers on this machine, until Ctrl-C.

    It prints how to call the workers from another terminal. Nothing needs to be set up, nothing is kept, and only this
    user can reach the server. When the settings name a Redis, that one is used and no server is started.

    Ctrl-C or SIGTERM lets the running calls finish; a second one does not wait for them.
    """
    flags = {"pool.workers": workers, "dispatch.queue": queue}
    settings = options.load(flags).settings
    raise_on_interrupt()
    with ExitStack() as stack:
        server = None
        if settings.redis.url:
            require_key(settings)
        else:
            server, settings = stack.enter_context(open_server(options, flags))
        pool = stack.enter_context(LocalPool(settings))
        if server is not None:
            path = stack.enter_context(written_up_file(settings, options.environ))
            _greet(settings, f"lualoft --config {path} run SCRIPT FUNCTION [ARG]...")
        else:
            _greet(settings, "lualoft run SCRIPT FUNCTION [ARG]...   (with the same settings)")
        return _serve(pool, server)


def _greet(settings: Settings, call: str) -> None:
    click.echo(f"lualoft is up: {settings.pool.count} workers on queue {settings.dispatch.queue!r}")
    click.echo(f"  redis   {describe(settings.redis.url)}")
    click.echo(f"  call    {call}")
    click.echo("  stop    Ctrl-C")


def _serve(pool: LocalPool, server: EmbeddedServer | None) -> int:
    """Wait until somebody wants an end, and drain; returns the exit code."""
    # SimpleQueue: its put takes no lock that the main thread could hold when a signal comes.
    events: SimpleQueue[_Event] = SimpleQueue()
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: events.put(_Event.STOP))
    threading.Thread(target=_tell_pool_end, args=(pool, events), name="pool-watch", daemon=True).start()
    if _next_event(events, server) is _Event.POOL_ENDED:
        raise UnavailableError("the workers ended unexpectedly")
    tell("draining; once more Ctrl-C does not wait for running calls")
    _stop_at_once_when_asked_again(pool.pid)
    pool.stop()
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return exit_codes.OK


def _tell_pool_end(pool: LocalPool, events: SimpleQueue[_Event]) -> None:
    pool.wait()
    events.put(_Event.POOL_ENDED)


def _next_event(events: SimpleQueue[_Event], server: EmbeddedServer | None) -> _Event:
    while True:
        try:
            return events.get(timeout=LOOK_EVERY_S)
        except Empty:
            if server is not None and not server.is_running:
                raise UnavailableError("the server ended unexpectedly") from None


def _stop_at_once_when_asked_again(pool_pid: int) -> None:
    # The pool takes the end of its standard input as the first request and SIGTERM as the second.
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: os.kill(pool_pid, signal.SIGTERM))
