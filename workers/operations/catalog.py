"""The operations that scripts of this worker can wait for, by name, with what they share.

`WorkerProcess` makes one catalogue per worker from the settings and hands it to the engine; what an operation keeps
(connections, caches) lives as long as the catalogue and is closed with it. Adding an operation is one line here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.auth.password_check import PASSWORD_VERIFY, RETURNED_PASSWORD, check_returned
from workers.http.client import HttpClient
from workers.http.natives import http_natives
from workers.http.operation import HTTP_SUBMIT, http_submit
from workers.http.registry import ClientRegistry
from workers.natives import no_natives
from workers.operations.http_exchange import Exchanges, http_exchange
from workers.operations.loop_thread import LoopThread
from workers.operations.operation import Blocking, Operation
from workers.passwords.check import blocking_verify

if TYPE_CHECKING:
    from dispatcher.protocol.settings import Settings
    from workers.lua.runtime import Native


@dataclass(frozen=True)
class Catalog:
    """Operations by name; they take and return values of `dispatcher.protocol.invocation`."""

    operations: Mapping[bytes, Operation]
    #: Where the asynchronous ones run; blocking ones may ask it for results.
    loop: LoopThread = field(default_factory=LoopThread)
    #: What scripts of a dialect use the operations with; made anew for each instance.
    natives: Callable[[str], Mapping[str, Native]] = no_natives
    #: Run on the loop when the worker ends, if the loop ever started.
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()


def standard_catalog(settings: Settings) -> Catalog:  # noqa: ARG001 - the first user comes with DNS
    """Make the operations of a worker."""
    loop = LoopThread()
    http_clients = ClientRegistry(HttpClient)
    return Catalog(
        operations={
            b"http_exchange": Blocking(http_exchange(Exchanges()), takes_token=True),
            PASSWORD_VERIFY: Blocking(blocking_verify),
            RETURNED_PASSWORD: Blocking(check_returned),
            HTTP_SUBMIT: Blocking(http_submit(http_clients), takes_token=True),
        },
        loop=loop,
        natives=lambda dialect: http_natives(http_clients, dialect),
    )
