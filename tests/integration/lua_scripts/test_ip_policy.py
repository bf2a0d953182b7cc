"""ip_policy.lua: networks, in both address families, as the first link of a chain."""

import pytest

from dispatcher.protocol.auth_result import AuthVerdict
from tests.integration.lua_scripts.asking import hostile_users, shipped

NEXT, DISABLED, FAILURE = AuthVerdict.NEXT, AuthVerdict.USER_DISABLED, AuthVerdict.INTERNAL_FAILURE


def request_from(ip):
    return {"user": "joe"} if ip is None else {"user": "joe", "remote_ip": ip}


@pytest.mark.parametrize(
    ("deny", "allow", "ip", "expected"),
    [
        pytest.param("192.0.2.0/24", "", "192.0.2.255", DISABLED, id="denied, last address"),
        pytest.param("192.0.2.0/24", "", "192.0.3.0", NEXT, id="first address behind it"),
        pytest.param("192.0.2.7", "", "192.0.2.7", DISABLED, id="one address"),
        pytest.param("192.0.2.7", "", "192.0.2.8", NEXT, id="its neighbour"),
        pytest.param("0.0.0.0/0", "", "203.0.113.1", DISABLED, id="all of IPv4"),
        pytest.param("0.0.0.0/0", "", "2001:db8::1", NEXT, id="IPv4 is not IPv6"),
        pytest.param("::/0", "", "203.0.113.1", NEXT, id="IPv6 is not IPv4"),
        pytest.param("2001:db8::/33", "", "2001:db8:7fff:ffff::1", DISABLED, id="odd prefix, inside"),
        pytest.param("2001:db8::/33", "", "2001:db8:8000::", NEXT, id="odd prefix, outside"),
        pytest.param("192.0.2.0/24", "", "::ffff:192.0.2.1", DISABLED, id="IPv4 through IPv6"),
        pytest.param("fe80::/10", "", "fe80::1%eth0", DISABLED, id="with an interface"),
        pytest.param("", "192.0.2.0/24", "192.0.2.1", NEXT, id="allowed"),
        pytest.param("", "192.0.2.0/24", "198.51.100.1", DISABLED, id="not allowed"),
        pytest.param("192.0.2.7", "192.0.2.0/24", "192.0.2.7", DISABLED, id="denied counts first"),
        pytest.param("", "192.0.2.0/24", None, DISABLED, id="no address, not allowed"),
        pytest.param("", "192.0.2.0/24, local", None, NEXT, id="no address, allowed"),
        pytest.param("local", "", None, DISABLED, id="no address, denied"),
        pytest.param("local", "", "192.0.2.1", NEXT, id="local is not a network"),
        pytest.param("192.0.2.0/24", "", "", NEXT, id="empty address"),
        pytest.param("192.0.2.0/24", "", "192.0.2.256", FAILURE, id="no address at all"),
    ],
)
@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_login_goes_on_or_ends(ask, dialect, deny, allow, ip, expected):
    script = shipped("ip_policy", dialect=dialect, deny=deny, allow=allow)
    assert expected is ask.verify(script, "x", **request_from(ip)).verdict


def test_credentials_are_not_looked_up_from_a_denied_network_either(ask):
    script = shipped("ip_policy", deny="192.0.2.0/24")
    assert DISABLED is ask.lookup(script, user="joe", remote_ip="192.0.2.1").verdict


@hostile_users
def test_name_plays_no_part(ask, user):
    assert (
        NEXT is ask.verify(shipped("ip_policy", deny="192.0.2.0/24"), "x", user=user, remote_ip="198.51.100.1").verdict
    )


@pytest.mark.parametrize(
    "ip",
    [
        "1.2.3",
        "1.2.3.4.5",
        "0x7f.1",
        "1.2.3.4/8",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "12345::",
        "g::",
        "x" * 65536,
        "1.2.3.4\n",
    ],
)
def test_malformed_address_of_the_client_is_an_internal_failure(ask, ip):
    assert FAILURE is ask.verify(shipped("ip_policy", allow="192.0.2.0/24"), "x", **request_from(ip)).verdict


@pytest.mark.parametrize(
    "network",
    ["192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2/24", "192.0.2.0/-1", "example.org", "/8", "1::2::3/8"],
)
def test_malformed_network_is_said_at_the_start(ask, network):
    result = ask.verify(shipped("ip_policy", deny=f"192.0.2.1 {network}"), "x", user="joe", remote_ip="198.51.100.1")
    assert (FAILURE, True) == (result.verdict, f"`deny` holds `{network}`, which is no network" in result.reason)


def test_policy_without_networks_is_said_at_the_start(ask):
    result = ask.verify(shipped("ip_policy"), "x", user="joe")
    assert (FAILURE, True) == (result.verdict, "the settings `deny` and `allow` are missing" in result.reason)
