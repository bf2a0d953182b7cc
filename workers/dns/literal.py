"""Addresses that are written as such: they need no lookup.

Takes what the C library takes: dotted IPv4 in all of inet_aton's forms ("127.1", "0x7f000001"), IPv6 with or without a
scope, and IPv6 in brackets. Used by the resolver and by egress control, which must agree on what is an address.
"""

from __future__ import annotations

import re
import socket
from ipaddress import AddressValueError, IPv6Address
from typing import Final

#: inet_aton ignores what follows a blank, so the shape is checked first: one to four numbers.
_IPV4_SHAPE: Final = re.compile(r"(?:0[xX][0-9a-fA-F]+|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]+|[0-9]+)){0,3}\Z", re.ASCII)


def parse_literal(text: str) -> str | None:
    """Return an address in its usual form; None: the text is a name."""
    if ":" in text:
        return _ipv6(text)
    if not _IPV4_SHAPE.match(text):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        return None


def _ipv6(text: str) -> str | None:
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        return None
