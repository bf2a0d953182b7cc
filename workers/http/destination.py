"""The host that a request is for: is it an address, what are its addresses, may it be asked at all?

`connecting` asks about whom it connects to, `submission` about servers behind a proxy.
"""

from __future__ import annotations

import ipaddress

from dispatcher.protocol.errors import LualoftError
from workers.http.failure import CONNECT_FAILED, HOST_LOOKUP_FAILED, HttpFailure, deadline_passed
from workers.http.interruption import Interruption
from workers.http.network import Network


def check_host(network: Network, host: str, port: int) -> None:
    """Ask the operator's rules about a host.

    Raises:
        HttpFailure: 9003, it is refused.
    """
    try:
        network.check_host(host, port)
    except LualoftError as exc:
        raise HttpFailure(CONNECT_FAILED, f"connect({host}:{port}) failed: {exc}") from exc


def look_up(network: Network, host: str, timeout_s: float, interruption: Interruption) -> list[str]:
    """The addresses of a name; at least one.

    Raises:
        HttpFailure: 9002, it has none; 9000 or 9008.
    """
    limit_s = min(timeout_s, interruption.remaining_s())
    if limit_s <= 0:
        raise deadline_passed()
    try:
        found = network.resolve(host, limit_s)
    except LualoftError as exc:
        raise HttpFailure(HOST_LOOKUP_FAILED, f"Failed to lookup host {host}: {exc}") from exc
    interruption.check()
    if not found:
        raise HttpFailure(HOST_LOOKUP_FAILED, f"Failed to lookup host {host}: No addresses")
    return found


def is_address(host: str) -> bool:
    """Is it an address, and not a name?"""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
