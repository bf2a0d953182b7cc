"""The operations that scripts of this worker can wait for, by name, with what they share.

`WorkerProcess` makes one catalogue per worker from the settings and hands it to the engine; what an operation keeps
(connections, caches) lives as long as the catalogue and is closed with it. Adding an operation is one line here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.auth.password_check import PASSWORD_VERIFY, RETURNED_PASSWORD, check_returned
from workers.dict_binding.natives import dict_natives
from workers.dict_binding.operations import DictOperations
from workers.dns.resolver import Resolver
from workers.egress import Egress
from workers.http.client import HttpClient
from workers.http.natives import http_natives
from workers.http.network import Network
from workers.http.operation import HTTP_SUBMIT, http_submit
from workers.http.registry import ClientRegistry
from workers.natives import no_natives
from workers.operations.dns_lookup import dns_lookup
from workers.operations.http_exchange import Exchanges, http_exchange
from workers.operations.loop_thread import LoopThread
from workers.operations.operation import Blocking, Operation
from workers.passwords.check import blocking_verify

if TYPE_CHECKING:
    from dispatcher.protocol.invocation import ScriptPackage
    from dispatcher.protocol.settings import Settings
    from workers.lua.runtime import Native


@dataclass(frozen=True)
class Catalog:
    """Operations by name; they take and return values of `dispatcher.protocol.invocation`."""

    operations: Mapping[bytes, Operation]
    #: Where the asynchronous ones run; blocking ones may ask it for results.
    loop: LoopThread = field(default_factory=LoopThread)
    #: What a script uses the operations with; made anew for each instance.
    natives: Callable[[ScriptPackage], Mapping[str, Native]] = no_natives
    #: Run on the loop when the worker ends, if the loop ever started.
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()


def standard_catalog(settings: Settings) -> Catalog:
    """Make the operations of a worker."""
    loop = LoopThread()
    resolver = Resolver(settings.dns, loop)
    http_clients = ClientRegistry(HttpClient)
    exchanges = Exchanges(Network(resolve=resolver.addresses), http_clients.network)
    dicts = DictOperations(settings.dicts, loop)

    def natives(package: ScriptPackage) -> Mapping[str, Native]:
        return {
            **http_natives(http_clients, package.dialect, network_of(package, resolver)),
            **dict_natives(dicts, package.dicts),
        }

    return Catalog(
        operations={
            **dicts.operations,
            b"dns_lookup": dns_lookup(resolver),
            b"http_exchange": Blocking(http_exchange(exchanges), takes_token=True),
            PASSWORD_VERIFY: Blocking(blocking_verify, is_computing=True),
            RETURNED_PASSWORD: Blocking(check_returned, is_computing=True),
            HTTP_SUBMIT: Blocking(http_submit(http_clients), takes_token=True),
        },
        loop=loop,
        natives=natives,
        closers=(resolver.close, dicts.close),
    )


def network_of(package: ScriptPackage, resolver: Resolver) -> Network:
    """Say where a script's requests may go and how names are looked up for them."""
    egress = Egress(package.name, package.egress)
    return Network(
        resolve=resolver.addresses,
        check_host=egress.check_host,
        check_address=egress.check_address,
        is_restricted=not egress.is_open,
    )
