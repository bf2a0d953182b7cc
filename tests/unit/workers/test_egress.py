"""Egress control: what an allow-list lets through, in every way that a destination can be written."""

import pytest

from dispatcher.protocol.errors import SettingsError
from workers.egress import Egress, EgressRefusedError

#: Addresses of the public internet; those of the documentation networks are not.
PUBLIC, PUBLIC6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def allows_host(entries, host, port=443):
    try:
        Egress("auth", entries).check_host(host, port)
    except EgressRefusedError:
        return False
    return True


def allows_address(entries, address, host="", port=443):
    try:
        Egress("auth", entries).check_address(address, port, host)
    except EgressRefusedError:
        return False
    return True


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1", "169.254.169.254", "::1"])
def test_empty_list_allows_everything(host):
    assert allows_host([], host)
    assert allows_address([], "127.0.0.1", host)


@pytest.mark.parametrize("host", ["example.org", "EXAMPLE.org", "example.org.", "Example.Org."])
def test_host_is_allowed_however_it_is_written(host):
    assert allows_host(["example.org"], host)
    assert allows_host(["EXAMPLE.ORG"], host)


@pytest.mark.parametrize(
    "host",
    ["a.example.org", "example.org.evil.net", "notexample.org", "example.or", "example.org..", "", ".", " example.org"],
)
def test_other_hosts_are_refused(host):
    assert not allows_host(["example.org"], host)


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("a.example.org", True),
        ("a.b.EXAMPLE.org.", True),
        ("example.org", False),
        ("aexample.org", False),
        ("a.example.org.evil.net", False),
    ],
)
def test_wildcard_stands_for_what_is_below(host, is_allowed):
    assert is_allowed == allows_host(["*.example.org"], host)


def test_international_names_are_compared_as_they_are_asked_for():
    assert allows_host(["b\u00fccher.example"], "xn--bcher-kva.example")
    assert allows_host(["xn--bcher-kva.example"], "B\u00dcCHER.example")
    assert not allows_host(["xn--bcher-kva.example"], "bucher.example")


def test_name_that_is_no_name_is_refused():
    assert not allows_host(["example.org"], "\u00e4" * 100 + ".example.org")


@pytest.mark.parametrize(("port", "is_allowed"), [(443, True), (80, False), (4430, False)])
@pytest.mark.parametrize(
    ("entry", "destination"),
    [
        ("example.org:443", "example.org"),
        ("*.example.org:443", "a.example.org"),
        ("192.0.2.0/24:443", "192.0.2.1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ("[2001:db8::]/32:443", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_entry_with_a_port_allows_that_port(entry, destination, port, is_allowed):
    assert is_allowed == allows_host([entry], destination, port)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("10.1.0.0", True),
        ("10.1.255.255", True),
        ("10.0.255.255", False),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:a01:203", True),
        ("::ffff:10.2.0.0", False),
        ("[::ffff:10.1.2.3]", True),
        ("10.1", False),
        ("0x0a.0x01.1", True),
        ("012.1.0.1", True),
        ("167837697", True),
        ("0xa010001", True),
    ],
)
def test_network_holds_its_addresses_in_every_notation(address, is_allowed):
    assert is_allowed == allows_host(["10.1.0.0/16"], address)


@pytest.mark.parametrize("address", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "::ffff:127.0.0.1", "::1", "0"])
def test_disguised_loopback_is_refused(address):
    assert not allows_host(["example.org", "10.0.0.0/8"], address)


@pytest.mark.parametrize(
    ("address", "is_allowed"), [("fe80::1%eth0", True), ("fe80::1", True), ("2001:db8::1%eth0", False)]
)
def test_scope_of_an_address_plays_no_part(address, is_allowed):
    assert is_allowed == allows_host(["[fe80::]/10"], address)


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6])
def test_allowed_name_may_lead_to_public_addresses(address):
    assert allows_address(["example.org"], address, "example.org")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "100.64.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_allowed_name_may_not_lead_inside(address):
    assert not allows_address(["example.org"], address, "example.org")


def test_network_entry_lets_names_lead_inside():
    assert allows_address(["example.org", "127.0.0.0/8"], "127.0.0.1", "example.org")


def test_any_name_may_lead_into_an_allowed_network():
    assert allows_host(["10.0.0.0/8"], "db.internal")
    assert allows_address(["10.0.0.0/8"], "10.0.0.5", "db.internal")
    assert not allows_address(["10.0.0.0/8"], PUBLIC, "db.internal")


def test_public_address_without_its_name_is_refused():
    assert not allows_host(["example.org"], PUBLIC)
    assert not allows_address(["example.org"], PUBLIC, "evil.net")


def test_addresses_of_a_name_are_filtered():
    addresses = ["127.0.0.1", "10.0.0.1", PUBLIC]
    allowed = [one for one in addresses if allows_address(["example.org", "10.0.0.0/8"], one, "example.org")]
    assert ["10.0.0.1", PUBLIC] == allowed


def test_refused_address_of_a_name_is_named_with_the_setting():
    assert not allows_address(["example.org"], "::1", "example.org")
    with pytest.raises(EgressRefusedError) as caught:
        Egress("auth", ["example.org"]).check_address("127.0.0.1", 443, "example.org")
    expected = (
        "script 'auth' may not reach example.org:443, which is 127.0.0.1: no entry of scripts.auth.egress allows it"
    )
    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("host", "shown"), [("evil.net", "evil.net:80"), ("192.0.2.1", "192.0.2.1:80"), ("2001:db8::1", "[2001:db8::1]:80")]
)
def test_refusal_names_script_destination_and_setting(host, shown):
    with pytest.raises(EgressRefusedError) as caught:
        Egress("auth", ["example.org"]).check_host(host, 80)
    assert f"script 'auth' may not reach {shown}: no entry of scripts.auth.egress allows it" == str(caught.value)


def test_bad_entry_is_named():
    with pytest.raises(SettingsError, match=r"scripts\.auth\.egress: 'http://x' is not allowed"):
        Egress("auth", ["http://x"])
