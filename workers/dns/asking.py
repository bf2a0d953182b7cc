"""Asks the DNS servers about one name: both address families at once, server after server, until one knows.

The resolver's own, used on the loop only; search lists, hosts file and cache are the resolver's business.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from workers.dns.error import ResolveCode, ResolveError
from workers.dns.message import AAAA, NXDOMAIN, A, Answer, AnswerError, question_bytes, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.dns.server import DnsServer

#: Once one family has addresses, the other has this long to come as well.
LATE_FAMILY_S: Final = 1.0

#: IPv4 and IPv6.
FAMILIES: Final = 2

#: For looking up a route; nothing goes there.
_ANY_PORT: Final = 53

#: A failure is a value here, as the other family may still have addresses.
_Result = Answer | ResolveError | TimeoutError


class Found(NamedTuple):
    """What the servers say about a name: addresses, or that there are none; and how long it holds, 0 if unknown."""

    addresses: tuple[str, ...]
    error: ResolveError | None
    ttl_s: int


class Asking:
    """The servers, and how often each is asked."""

    def __init__(self, attempts: int, timeout_s: float, has_route: Callable[[str], bool] | None = None) -> None:
        """Set up.

        Args:
            attempts: rounds over all servers.
            timeout_s: for all rounds together.
            has_route: can this machine send to an address? Decides which family comes first.
        """
        self._attempts = attempts
        self._timeout_s = timeout_s
        self._has_route = has_route or has_route_to

    async def ask(self, name: bytes, servers: Sequence[DnsServer]) -> Found:
        """Ask for the A and AAAA records of a name (its bytes in a query).

        Raises:
            TimeoutError: a server did not answer, and the others did not help.
            ResolveError: they answered, and none could say anything about the name.
        """
        tasks = [asyncio.create_task(self._ask_all(question_bytes(name, kind), servers)) for kind in (A, AAAA)]
        try:
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if waiting:
                has_addresses = any(_has_addresses(task) for task in done)
                await asyncio.wait(waiting, timeout=LATE_FAMILY_S if has_addresses else None)
        finally:
            for task in tasks:
                task.cancel()
        return self._together([task.result() for task in tasks if task.done() and not task.cancelled()])

    async def _ask_all(self, question: bytes, servers: Sequence[DnsServer]) -> _Result:
        """Ask one server after the other until one can say something about the name."""
        ordered = sorted(servers, key=lambda server: server.is_suspect)
        try_s = self._timeout_s / self._attempts / len(ordered)
        failure: ResolveError | TimeoutError = ResolveError(ResolveCode.AGAIN)
        for server in ordered * self._attempts:
            try:
                answer = read_answer(await server.ask(question, try_s), question)
            except TimeoutError as exc:
                failure = exc
                continue
            except (OSError, AnswerError):
                continue
            if answer.is_final:
                return answer
        return failure

    def _together(self, results: list[_Result]) -> Found:
        answers = [result for result in results if isinstance(result, Answer)]
        with_addresses = [answer for answer in answers if answer.addresses]
        if with_addresses:
            # Half an answer is given, but not kept.
            ttl_s = min(answer.ttl_s for answer in with_addresses) if len(answers) == FAMILIES else 0
            return Found(self.ordered([ip for answer in with_addresses for ip in answer.addresses]), None, ttl_s)
        for kind in (TimeoutError, ResolveError):
            for result in results:
                if isinstance(result, kind):
                    raise result
        is_unknown = any(answer.rcode == NXDOMAIN for answer in answers)
        error = ResolveError(ResolveCode.NONAME if is_unknown else ResolveCode.NODATA)
        return Found((), error, min(answer.ttl_s for answer in answers))

    def ordered(self, addresses: list[str]) -> tuple[str, ...]:
        """Put the family first that can be used; inside a family the order stays."""
        ipv4 = [ip for ip in addresses if ":" not in ip]
        ipv6 = [ip for ip in addresses if ":" in ip]
        if ipv4 and ipv6 and not self._has_route(ipv6[0]):
            return (*ipv4, *ipv6)
        return (*ipv6, *ipv4)


def _has_addresses(task: asyncio.Task[_Result]) -> bool:
    result = task.result()
    return isinstance(result, Answer) and bool(result.addresses)


def has_route_to(ip: str) -> bool:
    """Can this machine send to an IPv6 address? Nothing is sent: connecting a datagram socket looks up the route."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((ip, _ANY_PORT))
    except OSError:
        return False
    return True
