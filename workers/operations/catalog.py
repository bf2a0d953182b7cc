"""The operations that scripts of this worker can wait for, by name, with what they share.

`WorkerProcess` makes one catalogue per worker from the settings and hands it to the engine; what an operation keeps
(connections, caches) lives as long as the catalogue and is closed with it. Adding an operation is one line here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.auth.password_check import PASSWORD_VERIFY, RETURNED_PASSWORD, check_returned
from workers.dns.resolver import Resolver
from workers.operations.dns_lookup import dns_lookup
from workers.operations.http_exchange import exchange
from workers.operations.loop_thread import LoopThread
from workers.operations.operation import Blocking, Operation
from workers.passwords.check import blocking_verify

if TYPE_CHECKING:
    from dispatcher.protocol.settings import Settings


@dataclass(frozen=True)
class Catalog:
    """Operations by name; they take and return values of `dispatcher.protocol.invocation`."""

    operations: Mapping[bytes, Operation]
    #: Where the asynchronous ones run; blocking ones may ask it for results.
    loop: LoopThread = field(default_factory=LoopThread)
    #: Run on the loop when the worker ends, if the loop ever started.
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()


def standard_catalog(settings: Settings) -> Catalog:
    """Make the operations of a worker."""
    loop = LoopThread()
    resolver = Resolver(settings.dns, loop)
    return Catalog(
        operations={
            b"dns_lookup": dns_lookup(resolver),
            b"http_exchange": Blocking(exchange),
            PASSWORD_VERIFY: Blocking(blocking_verify),
            RETURNED_PASSWORD: Blocking(check_returned),
        },
        loop=loop,
        closers=(resolver.close,),
    )
