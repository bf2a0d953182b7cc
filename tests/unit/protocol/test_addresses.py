"""Entries of `dns.servers` and of `scripts.NAME.egress`: what is one, and that a bad one is named."""

from ipaddress import ip_network

import pytest

from dispatcher.protocol.dns_address import parse_dns_server
from dispatcher.protocol.egress_rule import EgressRule, parse_egress_rule
from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.settings_source import load_settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("192.0.2.1:65535", ("192.0.2.1", 65535)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_address_of_a_dns_server(text, expected):
    assert expected == parse_dns_server(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ns.example.org",
        "192.0.2",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:x",
        "192.0.2.1:-1",
        "192.0.2.1:1111111111",
        "192.0.2.0/24",
        "[2001:db8::1",
        "[2001:db8::1]:",
        "[2001:db8::1]x",
        "[]",
        "2001:db8::1::",
    ],
)
def test_what_is_no_address_of_a_dns_server_is_named(text):
    with pytest.raises(SettingsError) as caught:
        parse_dns_server(text)
    assert ("dns.servers", f"{text!r} is not the address of a DNS server") == (caught.value.key, caught.value.problem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org", EgressRule(host="example.org")),
        ("EXAMPLE.org.", EgressRule(host="example.org")),
        ("localhost:1", EgressRule(host="localhost", port=1)),
        ("*.example.org:65535", EgressRule(host="example.org", is_wildcard=True, port=65535)),
        ("_srv.ex-ample.org", EgressRule(host="_srv.ex-ample.org")),
        ("b\u00fccher.example", EgressRule(host="xn--bcher-kva.example")),
        ("192.0.2.1", EgressRule(network=ip_network("192.0.2.1/32"))),
        ("192.0.2.0/24", EgressRule(network=ip_network("192.0.2.0/24"))),
        ("0.0.0.0/0:443", EgressRule(network=ip_network("0.0.0.0/0"), port=443)),
        ("2001:db8::1", EgressRule(network=ip_network("2001:db8::1/128"))),
        ("2001:db8::/32", EgressRule(network=ip_network("2001:db8::/32"))),
        ("[2001:db8::]/32", EgressRule(network=ip_network("2001:db8::/32"))),
        ("[2001:db8::1]:443", EgressRule(network=ip_network("2001:db8::1/128"), port=443)),
        ("[2001:db8::]/32:443", EgressRule(network=ip_network("2001:db8::/32"), port=443)),
    ],
)
def test_egress_entry(text, expected):
    assert expected == parse_egress_rule(text, "scripts.auth.egress")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.",
        "*.*.org",
        "a.*.org",
        "http://example.org",
        "example.org/path",
        "example.org:0",
        "example.org:65536",
        "example.org:https",
        "user@example.org",
        "exa mple.org",
        "-example.org",
        "example..org",
        ".example.org",
        "a" * 64 + ".org",
        ".".join(["a" * 60] * 5),
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2",
        "192.0.2.256",
        "[192.0.2.1]:443",
        "2001:db8::/129",
        "[2001:db8::1]:x",
        "[2001:db8::1",
        "fe80::1%eth0",
        "example.org\n",
    ],
)
def test_what_is_no_egress_entry_is_named(text):
    with pytest.raises(SettingsError) as caught:
        parse_egress_rule(text, "scripts.auth.egress")
    assert ("scripts.auth.egress", f"{text!r} is not allowed") == (caught.value.key, caught.value.problem)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            '[dns]\nservers = ["192.0.2.1", "ns.example.org"]',
            "dns.servers (file {path}): 'ns.example.org' is not the address",
        ),
        (
            '[scripts.auth]\negress = ["example.org", "http://x"]',
            "scripts.auth.egress (file {path}): 'http://x' is not",
        ),
        ("[dns]\ncache_min_ttl_s = 60\ncache_max_ttl_s = 59", "dns.cache_min_ttl_s (file {path}): 60 is not allowed"),
    ],
    ids=["server", "egress", "order of TTLs"],
)
def test_bad_entry_in_the_settings_file_is_named_with_its_place(tmp_path, toml, problem):
    path = tmp_path / "lualoft.toml"
    path.write_text(toml)
    with pytest.raises(SettingsError) as caught:
        load_settings(toml_path=str(path), environ={}, flags={})
    assert str(caught.value).startswith(problem.format(path=path))


def test_servers_in_the_environment_may_hold_ports():
    environ = {"LUALOFT_DNS_SERVERS": "192.0.2.1:5353, [2001:db8::1]:53"}
    settings = load_settings(toml_path=None, environ=environ, flags={}).settings
    assert ["192.0.2.1:5353", "[2001:db8::1]:53"] == settings.dns.servers
