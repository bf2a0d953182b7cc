"""Which destinations a script's requests may reach: `scripts.NAME.egress`, an allow-list that is off while empty.

Whoever connects for a script asks twice: `check_host` with what the script wrote, before anything is looked up, and
`check_address` with each address that the name resolved to. It must then connect to one that passed and not look the
name up again, and do both again for each redirect. Looking a name up is not restricted: it reaches DNS servers only.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from dispatcher.protocol.egress_rule import normal_host, parse_egress_rule
from dispatcher.protocol.errors import LualoftError
from workers.dns.literal import parse_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dispatcher.protocol.egress_rule import EgressRule

#: IPv6 networks that carry IPv4 addresses: NAT64 and 6to4 lead wherever those do.
_CARRIERS: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))


class EgressRefusedError(LualoftError):
    """A destination that the script's allow-list does not hold."""

    def __init__(self, script: str, host: str, port: int, address: str = "") -> None:
        """Name the script, the destination and the setting; `address`: what the host resolved to."""
        resolved = f", which is {address}" if address else ""
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            f"script {script!r} may not reach {shown}:{port}{resolved}: no entry of scripts.{script}.egress allows it"
        )
        self.script = script
        self.host = host
        self.port = port
        self.address = address


class Egress:
    """The allow-list of one script.

    A host entry allows the name, as long as it resolves to public addresses; private ones, loopback and the like need
    a network entry as well, so that whoever controls a name cannot lead the script into the machine's own network. A
    network entry allows its addresses, whatever name leads there.
    """

    def __init__(self, script: str, entries: Sequence[str]) -> None:
        """Read the entries.

        Args:
            script: its name.
            entries: from the script's package; empty allows everything.

        Raises:
            SettingsError: an entry is none.
        """
        self._script = script
        self._rules = [parse_egress_rule(entry, f"scripts.{script}.egress") for entry in entries]

    @property
    def is_open(self) -> bool:
        """Is everything allowed?"""
        return not self._rules

    def check_host(self, host: str, port: int) -> None:
        """Check a destination as the script wrote it. A name may pass here and have all its addresses refused.

        Raises:
            EgressRefusedError: it is refused whatever it resolves to.
        """
        if self.is_open:
            return
        literal = parse_literal(host)
        if literal is not None:
            self.check_address(literal, port)
        elif not self._allows_name(host, port) and not any(self._networks(port)):
            raise EgressRefusedError(self._script, host, port)

    def check_address(self, address: str, port: int, host: str = "") -> None:
        """Check one address.

        Args:
            address: IPv4 or IPv6.
            port: where the connection goes.
            host: the name that resolved to it; empty: the script wrote the address itself.

        Raises:
            EgressRefusedError: it is refused.
        """
        if self.is_open:
            return
        ip = _plain(address)
        is_allowed = any(ip in rule.network for rule in self._networks(port) if rule.network is not None)
        if not is_allowed and not (host and _is_public(ip) and self._allows_name(host, port)):
            raise EgressRefusedError(self._script, host or address, port, address if host else "")

    def _networks(self, port: int) -> Iterable[EgressRule]:
        return (rule for rule in self._rules if rule.network is not None and rule.port in (None, port))

    def _allows_name(self, host: str, port: int) -> bool:
        try:
            name = normal_host(host)
        except UnicodeError:
            return False
        return any(_matches(rule, name) for rule in self._rules if rule.host and rule.port in (None, port))


def _matches(rule: EgressRule, name: str) -> bool:
    return name.endswith(f".{rule.host}") if rule.is_wildcard else name == rule.host


def _plain(address: str) -> IPv4Address | IPv6Address:
    """Drop the scope, and the IPv6 clothes of an IPv4 address."""
    ip = ip_address(address.partition("%")[0])
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    is_carried = isinstance(ip, IPv6Address) and any(ip in network for network in _CARRIERS)
    return ip.is_global and not ip.is_multicast and not is_carried
