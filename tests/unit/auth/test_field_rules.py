"""The field rules take whatever a script returns: nothing raises, nothing opens a door."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.auth.log_prefix import log_prefix
from workers.auth.passdb_fields import MAX_DELAY_S, set_passdb_field
from workers.auth.request_fields import RequestFields
from workers.auth.userdb_fields import set_userdb_field

NAMES = st.one_of(
    st.sampled_from(
        b"user username domain password password_noscheme nopassword noauthenticate allow_nets allow_real_nets fail "
        b"delay_until login_user passdb_import userdb_uid userdb_userdb_import check_client_fp userdb_import uid gid "
        b"tempfail system_user".split()
    ),
    st.binary(min_size=1, max_size=12),
)
SUFFIXES = st.sampled_from([b"", b":default", b":remove"])
VALUES = st.one_of(
    st.binary(max_size=20), st.sampled_from([b"local", b"10.0.0.0/8", b"a=1\tuser=x", b"1+1", b"{SHA}x"])
)


@given(st.lists(st.tuples(NAMES, SUFFIXES, VALUES), max_size=6))
def test_any_passdb_fields_are_taken(pairs):
    request = RequestFields({b"user": b"jane"})
    for name, suffix, value in pairs:
        set_passdb_field(request, name + suffix, value)
    assert request.user
    assert not set(request.fields) & set(request.hidden_fields)


@given(st.lists(st.tuples(NAMES, SUFFIXES, VALUES), max_size=6))
def test_any_userdb_fields_are_taken(pairs):
    request = RequestFields({b"user": b"jane"})
    for name, suffix, value in pairs:
        set_userdb_field(request, name + suffix, value)
    assert request.user


@given(st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_networks_of_any_text_let_nobody_in_by_accident(networks):
    request = RequestFields({b"remote_ip": b"203.0.113.9"})
    set_passdb_field(request, b"allow_nets", networks)
    if b"/" not in networks and b"203" not in networks:
        assert request.refusal


@pytest.mark.parametrize(
    ("network", "remote_ip", "is_refused"),
    [
        pytest.param(b"10.0.0.0/8", b"10.255.255.255", False, id="last of the network"),
        pytest.param(b"10.0.0.0/8", b"11.0.0.0", True, id="first behind it"),
        pytest.param(b"10.0.0.1/32", b"10.0.0.1", False, id="one address"),
        pytest.param(b"0.0.0.0/0", b"2001:db8::1", True, id="IPv6 is not IPv4"),
        pytest.param(b"10.0.0.0/8", b"::ffff:10.0.0.1", False, id="IPv4 inside IPv6"),
        pytest.param(b"2001:db8::/32", b"2001:db8:ffff::", False, id="IPv6"),
        pytest.param(b"10.0.0.0/255.0.0.0", b"10.0.0.1", True, id="a mask in dots"),
        pytest.param(b"10.0.0.0/", b"10.0.0.1", True, id="no bits"),
        pytest.param(b"10.0.0.0/-1", b"10.0.0.1", True, id="negative bits"),
        pytest.param(b"local", b"nonsense", False, id="an IP that is none counts as unknown"),
    ],
)
def test_network(network, remote_ip, is_refused):
    request = RequestFields({b"remote_ip": remote_ip})
    set_passdb_field(request, b"allow_nets", network)
    assert is_refused == bool(request.refusal)


@pytest.mark.parametrize("extra_s", [0, 1, 10**9])
def test_delay_is_never_longer_than_its_limit(extra_s):
    request = RequestFields({})
    set_passdb_field(request, b"delay_until", b"%d+%d" % (time.time() + MAX_DELAY_S - 5, extra_s))
    assert int(request.hidden_fields[b"delay_until"]) <= time.time() + MAX_DELAY_S


@pytest.mark.parametrize(
    ("name", "inner"), [(b"passdb_import", b"passdb_import"), (b"userdb_userdb_import", b"userdb_import")]
)
def test_import_that_nests_too_deeply_is_refused(name, inner):
    request = RequestFields({})
    set_passdb_field(request, name, (inner + b"=") * 40)
    assert "passdb_import nests too deeply" == request.refusal


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        pytest.param(b"", b"?", id="none"),
        pytest.param(b"x" * 64, b"x" * 64, id="as long as may be"),
        pytest.param(b"x" * 65, b"x" * 61 + b"...", id="too long"),
        pytest.param(b"a\nb\x7f", b"a?b?", id="control characters"),
    ],
)
def test_user_in_the_log(user, shown):
    assert b"lua(" + shown + b"): " == log_prefix(user, b"", b"")
