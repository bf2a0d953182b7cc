"""What /etc/hosts and /etc/resolv.conf say, read as the C library reads them (hosts(5), resolv.conf(5))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.dns.literal import parse_literal

if TYPE_CHECKING:
    from dispatcher.protocol.settings import DnsSettings

#: Where the C library asks when resolv.conf names nobody.
DEFAULT_SERVER: Final = "127.0.0.1"

#: Highest value of `options ndots`.
MAX_NDOTS: Final = 15


def parse_hosts(text: str) -> dict[str, list[str]]:
    """Return name in lower case -> addresses in the order of the lines."""
    hosts: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        address = parse_literal(words[0]) if words else None
        if address is None:
            continue
        for name in words[1:]:
            known = hosts.setdefault(name.lower(), [])
            if address not in known:
                known.append(address)
    return hosts


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """Whom to ask, and what to append to short names."""

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    search: tuple[str, ...] = ()
    #: A name with at least so many dots is asked as it is first.
    ndots: int = 1


def parse_resolv_conf(text: str) -> ResolvConf:
    """Return what the file says; unknown lines are skipped, the last `search` or `domain` counts."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if keyword == "nameserver" and values and (address := parse_literal(values[0])):
            servers.append(address)
        elif keyword == "search":
            search = tuple(values)
        elif keyword == "domain":
            search = tuple(values[:1])
        elif keyword == "options":
            ndots = _ndots(values, ndots)
    return ResolvConf(tuple(servers) or (DEFAULT_SERVER,), search, ndots)


def with_settings(system: ResolvConf, settings: DnsSettings) -> ResolvConf:
    """Let the settings win: with servers of their own the system's file does not count at all."""
    if settings.servers:
        return ResolvConf(tuple(settings.servers), tuple(settings.search), settings.ndots)
    return ResolvConf(system.servers, tuple(settings.search) or system.search, system.ndots)


def _ndots(options: list[str], before: int) -> int:
    for option in options:
        name, _, value = option.partition(":")
        if name == "ndots" and value.isascii() and value.isdigit():
            before = min(int(value), MAX_NDOTS)
    return before
