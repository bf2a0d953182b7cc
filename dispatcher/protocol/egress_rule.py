"""Entries of `scripts.NAME.egress`: a host, hosts below a domain, or a network, each with or without a port.

Checked when settings are read and when a script is named in code; the worker reads them again. What they mean together
is decided in workers/egress.py.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from dispatcher.protocol.dns_address import MAX_PORT
from dispatcher.protocol.errors import SettingsError

#: What is allowed, for complaints.
ALLOWED: Final = (
    'entries like "example.org", "*.example.org", "192.0.2.0/24" or "[2001:db8::]/32", '
    'each with or without ":443" behind it'
)

_WILDCARD: Final = "*."
_MAX_HOST_CHARS: Final = 253
_HOST_SHAPE: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*\Z")
#: Address or host, then the network's length, then the port. IPv6 with a port needs its brackets.
_BRACKETED: Final = re.compile(r"\[(?P<address>[^\]]*)\](?P<length>/\d{1,3})?(?::(?P<port>\d{1,5}))?\Z", re.ASCII)
_BARE_IPV6: Final = re.compile(
    r"(?P<address>[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?P<length>/\d{1,3})?\Z", re.ASCII
)
_OTHER: Final = re.compile(r"(?P<address>[^/:\[\]]+)(?P<length>/\d{1,3})?(?::(?P<port>\d{1,5}))?\Z", re.ASCII)
_NUMERIC: Final = re.compile(r"[0-9.]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class EgressRule:
    """One entry: either a host or a network."""

    #: A normal host name; empty: a network.
    host: str = ""
    #: Does it stand for all hosts below `host`, and not for `host` itself?
    is_wildcard: bool = False
    network: IPv4Network | IPv6Network | None = None
    #: None: every port.
    port: int | None = None


def normal_host(host: str) -> str:
    """Return the form in which host names are compared: lower case, ASCII (IDNA), without the final dot.

    Raises:
        UnicodeError: it cannot be a host name.
    """
    if host.isascii():
        return host.lower().removesuffix(".")
    return host.removesuffix(".").encode("idna").decode("ascii").lower()


def parse_egress_rule(text: str, key: str) -> EgressRule:
    """Read an entry.

    Args:
        text: the entry.
        key: the setting that it stands in, for the complaint.

    Raises:
        SettingsError: it is no entry of these forms.
    """
    match = _BRACKETED.match(text) or _BARE_IPV6.match(text) or _OTHER.match(text)
    rule = None
    if match:
        parts = match.groupdict()
        rule = _rule(parts["address"], parts["length"] or "", parts.get("port") or "", is_bracketed=text[0] == "[")
    if rule is None:
        raise SettingsError(key, f"{text!r} is not allowed", allowed=ALLOWED)
    return rule


def _rule(address: str, length: str, port_text: str, *, is_bracketed: bool) -> EgressRule | None:
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port <= MAX_PORT:
        return None
    if is_bracketed or length or ":" in address or _NUMERIC.match(address):
        network = _network(address + length, is_ipv6=is_bracketed or ":" in address)
        return EgressRule(network=network, port=port) if network else None
    return _host_rule(address, port)


def _network(text: str, *, is_ipv6: bool) -> IPv4Network | IPv6Network | None:
    # Bits behind the length are refused: 192.0.2.1/24 may be meant as the host or as the network.
    try:
        network = ip_network(text)
    except ValueError:
        return None
    return network if is_ipv6 == isinstance(network, IPv6Network) else None


def _host_rule(text: str, port: int | None) -> EgressRule | None:
    is_wildcard = text.startswith(_WILDCARD)
    try:
        host = normal_host(text.removeprefix(_WILDCARD))
    except UnicodeError:
        return None
    if len(host) > _MAX_HOST_CHARS or not _HOST_SHAPE.match(host):
        return None
    return EgressRule(host=host, is_wildcard=is_wildcard, port=port)
