"""The operation `dns_lookup`: what `dns_client:lookup` waits for (workers/api/dns.lua)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.dns.error import ResolveError
from workers.operations.operation import Asynchronous

if TYPE_CHECKING:
    from workers.dns.resolver import Resolver
    from workers.operations.operation import Results


def dns_lookup(resolver: Resolver) -> Asynchronous:
    """Make the operation: takes the name, returns a list of addresses, or None, text and code."""

    async def lookup(host: bytes) -> Results:
        try:
            addresses = await resolver.lookup(host)
        except ResolveError as exc:
            return None, exc.text.encode(), int(exc.code)
        return ([address.encode() for address in addresses],)

    return Asynchronous(lookup)
