"""The fields `allow_nets` and `allow_real_nets`: from where a user may log in.

passdb_fields calls it.

Mirrors: auth_request_validate_networks of Dovecot 2.3.19 and 2.4; net_parse_range for the forms of a network.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.auth.request_fields import RequestFields

_SEPARATORS: Final = re.compile(rb"[, ]+")

#: The word for requests without an IP.
_LOCAL: Final = b"local"

#: Of a number of bits; more are none.
_MAX_DIGITS: Final = 9

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_networks(request: RequestFields, name: bytes, networks: bytes, remote_ip: bytes) -> None:
    """Refuse the login unless the IP lies in one of the networks; `local` stands for a request without one."""
    ip = _parse_ip(remote_ip)
    field = name.decode()
    for network in filter(None, _SEPARATORS.split(networks)):
        if network == _LOCAL:
            if ip is None:
                return
        elif not _is_network(network):
            request.log.append(("info", b"%b: Invalid network '%b'" % (name, network)))
        elif ip is not None and _contains(network, ip):
            return
    if ip is None:
        request.refuse("info", f"{field} check failed: Remote IP not known and 'local' missing")
    else:
        request.refuse("info", f"{field} check failed: IP {_shown(ip)} not in allowed networks")


def _parse_ip(data: bytes) -> _Address | None:
    """Read an address as net_addr2ip does: IPv4 as inet_aton takes it (`127.1` is one), IPv6 perhaps in brackets."""
    text = data.decode("ascii", "replace")
    try:
        if ":" not in text:
            return ipaddress.IPv4Address(socket.inet_aton(text))
        if text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        return ipaddress.IPv6Address(socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        return None


def _is_network(text: bytes) -> bool:
    return _parse_network(text) is not None


def _contains(network: bytes, ip: _Address) -> bool:
    parsed = _parse_network(network)
    return parsed is not None and _plain(ip) in parsed


def _parse_network(text: bytes) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, bits = text.partition(b"/")
    ip = _parse_ip(address)
    if ip is None or (slash and not (bits.isdigit() and len(bits) <= _MAX_DIGITS)):
        return None
    bit_count = int(bits) if slash else ip.max_prefixlen
    if bit_count > ip.max_prefixlen:
        return None
    return ipaddress.ip_network((ip, bit_count), strict=False)


def _shown(ip: _Address) -> str:
    family = socket.AF_INET if isinstance(ip, ipaddress.IPv4Address) else socket.AF_INET6
    return socket.inet_ntop(family, ip.packed)


def _plain(ip: _Address) -> _Address:
    """An IPv4 address that came in through an IPv6 socket is compared as what it is."""
    return getattr(ip, "ipv4_mapped", None) or ip
