"""The networks of lua_scripts/ip_policy.lua against Python's `ipaddress`."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.auth_result import AuthVerdict
from tests.unit.auth.harness import HoldingScheduler, instance_of, task_of

SCRIPT = Path(__file__).parents[3] / "lua_scripts" / "ip_policy.lua"

#: The policy, with the denied network given as the user: one Lua state answers for many networks.
ANSWERS_FOR_ANY = """
local policy = auth_passdb_lookup
function auth_passdb_lookup(request)
   settings.deny = request.user
   script_init()
   return policy(request)
end
"""


@pytest.fixture(scope="module")
def instance():
    # A first network, so that the script starts.
    source = SCRIPT.read_text().replace('deny = ""', 'deny = "local"', 1)
    return instance_of(source + ANSWERS_FOR_ANY)


def is_denied(instance, network, ip):
    scheduler = HoldingScheduler()
    task_of(instance, scheduler, "auth_passdb_lookup", {b"user": str(network).encode(), b"remote_ip": str(ip).encode()})
    verdict = scheduler.result.verdict
    assert verdict in {AuthVerdict.USER_DISABLED, AuthVerdict.NEXT}, scheduler.lines
    return verdict is AuthVerdict.USER_DISABLED


@st.composite
def networks_with_addresses(draw):
    """A network, and an address that often is its first, its last, or the neighbour of one of them."""
    address = draw(st.ip_addresses())
    network = ipaddress.ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False)
    first, last, top = int(network.network_address), int(network.broadcast_address), (1 << address.max_prefixlen) - 1
    edges = st.sampled_from([first, last, max(first - 1, 0), min(last + 1, top)])
    return network, type(address)(draw(edges | st.integers(0, top)))


@given(networks_with_addresses())
def test_addresses_lie_in_the_networks_that_python_says(instance, pair):
    network, ip = pair
    if getattr(ip, "ipv4_mapped", None) or getattr(network.network_address, "ipv4_mapped", None):
        return
    assert (ip in network) is is_denied(instance, network, ip)


@given(st.ip_addresses(v=6), st.data())
def test_every_way_to_write_an_ipv6_address_is_read(instance, address, data):
    form = data.draw(st.sampled_from([address.exploded, address.compressed, address.exploded.upper()]))
    assert is_denied(instance, form, address)


@given(st.ip_addresses(v=4))
def test_ipv4_address_that_came_through_ipv6_is_an_ipv4_one(instance, address):
    assert is_denied(instance, address, f"::ffff:{address}")
    assert is_denied(instance, address, f"::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}")
