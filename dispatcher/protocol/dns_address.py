"""Addresses of DNS servers as the settings give them: "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53".

Checked when the settings are read, and read again by the resolver.
"""

from ipaddress import ip_address
from typing import Final

from dispatcher.protocol.errors import SettingsError

DNS_PORT: Final = 53
MAX_PORT: Final = 65535

#: What is allowed, for complaints.
ALLOWED: Final = 'addresses like "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53"'


def parse_dns_server(text: str) -> tuple[str, int]:
    """Return address and port.

    Raises:
        SettingsError: it is something else, a host name for example.
    """
    host, port_text = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":")
        # Behind the bracket: nothing, or ":" and a port.
        if not bracket or (rest and (not port_text or port_text == rest)):
            raise _bad(text)
    elif text.count(":") == 1:
        host, _, port_text = text.partition(":")
        if not port_text:
            raise _bad(text)
    try:
        address = str(ip_address(host))
    except ValueError:
        raise _bad(text) from None
    return address, _port(port_text, text) if port_text else DNS_PORT


def _port(port_text: str, text: str) -> int:
    is_number = port_text.isascii() and port_text.isdigit() and len(port_text) <= len(str(MAX_PORT))
    if not is_number or not 0 < int(port_text) <= MAX_PORT:
        raise _bad(text)
    return int(port_text)


def _bad(text: str) -> SettingsError:
    return SettingsError("dns.servers", f"{text!r} is not the address of a DNS server", allowed=ALLOWED)
