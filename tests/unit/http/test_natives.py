"""Clients and Lua states: whoever lets go of a client closes it, and nobody reaches a client of somebody else."""

from __future__ import annotations

import gc

import pytest

from workers.http.natives import MANY_CLIENTS, http_natives
from workers.http.network import Network
from workers.http.registry import ClientRegistry
from workers.lua.runtime import LuaState, StepKind

LUAS = ["5.1", "5.2", "5.3", "5.4", "5.5", "luajit"]


class Quiet:
    """A client that nobody asks."""

    def __init__(self, closed):
        self._closed = closed

    def close(self):
        self._closed.append(self)


@pytest.fixture
def closed():
    return []


@pytest.fixture
def registry(closed):
    return ClientRegistry(lambda _settings, _network: Quiet(closed))


def state_of(version, registry, script, dialect="2.4", profile=b"trusted"):
    natives = {"log": lambda *_text: None, "profile": profile, **http_natives(registry, dialect)}
    state = LuaState(version, natives, dialect=dialect)
    assert state.compile(script, b"=t") == ""
    assert state.start_main()[0] == StepKind.DONE
    return state


def call(state, name=b"f"):
    step = state.start(name, [])
    assert step[0] == StepKind.DONE, step
    return list(step[2:])


KEEPS = b"client = dovecot.http.client({}) function f() client = nil collectgarbage() collectgarbage() end"


@pytest.mark.parametrize("version", LUAS)
def test_client_that_nothing_refers_to_is_closed(version, registry, closed):
    state = state_of(version, registry, KEEPS)
    assert [] == closed
    call(state)
    assert (1, 0) == (len(closed), len(registry))


@pytest.mark.parametrize("version", LUAS)
def test_script_that_makes_a_client_for_each_call_does_not_pile_them_up(version, registry):
    state = state_of(version, registry, b"function f() dovecot.http.client({}) end")
    most = 0
    for _ in range(10 * MANY_CLIENTS):
        call(state)
        most = max(most, len(registry))
    assert most <= MANY_CLIENTS


@pytest.mark.parametrize("version", LUAS)
def test_clients_in_use_are_kept_however_many_they_are(version, registry, closed):
    state = state_of(
        version, registry, b"clients = {} function f() clients[#clients + 1] = dovecot.http.client({}) end"
    )
    for _ in range(3 * MANY_CLIENTS):
        call(state)
    assert (3 * MANY_CLIENTS, []) == (len(registry), closed)


@pytest.mark.parametrize("version", LUAS)
def test_clients_go_with_their_state(version, registry, closed):
    state = state_of(version, registry, b"a, b = dovecot.http.client({}), dovecot.http.client({})")
    other = state_of(version, registry, b"a = dovecot.http.client({})")
    del state
    gc.collect()
    assert (2, 1) == (len(closed), len(registry))
    del other
    gc.collect()
    assert (3, 0) == (len(closed), len(registry))


@pytest.mark.parametrize("version", LUAS)
def test_request_keeps_its_client_open(version, registry, closed):
    script = b"""
    request = dovecot.http.client({}):request({ url = "http://h/" })
    function f() collectgarbage() collectgarbage() end
    function g() request = nil collectgarbage() collectgarbage() collectgarbage() end"""
    state = state_of(version, registry, script)
    call(state)
    assert [] == closed
    call(state, b"g")
    assert 1 == len(closed)


def test_clients_are_closed_even_if_no_finaliser_ran(registry, closed):
    natives = http_natives(registry, "2.4")
    natives["http_open"](b"")
    del natives
    gc.collect()
    assert (1, 0) == (len(closed), len(registry))


@pytest.mark.parametrize(("is_restricted", "count"), [(True, 1), (False, 0)], ids=["egress rules", "none"])
def test_network_with_rules_is_known_as_long_as_its_instance(registry, is_restricted, count):
    network = Network(is_restricted=is_restricted)
    natives = http_natives(registry, "2.4", network)
    network_id = natives["http_network"]
    assert [network] * count == [found for found in [registry.network(network_id)] if found]
    assert is_restricted == bool(network_id)
    del natives
    gc.collect()
    assert registry.network(network_id) is None


def test_client_of_another_instance_is_not_closed(registry, closed):
    one, two = http_natives(registry, "2.4"), http_natives(registry, "2.4")
    client_id, _ = one["http_open"](b"")
    two["http_close"](client_id)
    assert [] == closed
    one["http_close"](client_id)
    assert 1 == len(closed)


@pytest.mark.parametrize("version", LUAS)
def test_finaliser_called_by_the_script_closes_its_own_client_only(version, registry, closed):
    script = b"""
    one, two = dovecot.http.client({}), dovecot.http.client({})
    function f() debug.getmetatable(one.item).__gc(two.item) debug.getmetatable(one.item).__gc() end"""
    state = state_of(version, registry, script)
    call(state)
    assert (1, 1) == (len(closed), len(registry))


@pytest.mark.parametrize("version", LUAS)
def test_handles_lead_nowhere(version, registry):
    script = b"""
    local client = dovecot.http.client({})
    local request = client:request({ url = "http://h/" })
    function f()
       local found = {}
       for _, fn in pairs({ client.request, request.submit, debug.getmetatable(client.item).__gc }) do
          for index = 1, 50 do
             found[#found + 1] = debug.getupvalue(fn, index)
          end
       end
       for _, object in pairs({ client, request }) do
          if type(object.item) == "table" then
             found[#found + 1] = next(object.item)
          end
       end
       return #found
    end"""
    assert [0] == call(state_of(version, registry, script))


@pytest.mark.parametrize("dialect", ["2.3", "2.4"])
def test_natives_give_plain_values(registry, dialect):
    natives = http_natives(registry, dialect)
    plain = (bytes, int, bool, type(None))
    given = [
        natives["http_option"](b"user_agent", b"string", b"x"),
        natives["http_option"](b"user_agent", b"table", b""),
        *natives["http_open"](b"user_agent\0string\0x\0"),
        *natives["http_url"](b"http://h/"),
        *natives["http_url"](b"foo"),
        natives["http_close"](1),
        *(value for value in natives.values() if not callable(value)),
    ]
    assert all(isinstance(value, plain) for value in given)


@pytest.mark.parametrize("version", LUAS)
def test_state_without_the_natives_has_no_http(version):
    state = LuaState(version, {"log": lambda *_text: None, "profile": b"trusted"})
    assert state.compile(b"function f() return dovecot.http end", b"=t") == ""
    state.start_main()
    assert [None] == call(state)


PLACES = [
    ("2.3", b"rawlog_dir"),
    *(
        ("2.4", name)
        for name in (
            b"rawlog_dir",
            b"proxy_socket_path",
            b"ssl_client_ca_file",
            b"ssl_client_ca_dir",
            b"ssl_client_cert_file",
            b"ssl_client_key_file",
        )
    ),
]


@pytest.mark.parametrize("profile", [b"trusted", b"restricted"])
@pytest.mark.parametrize(("dialect", "option"), PLACES)
def test_restricted_scripts_name_no_places_outside_lua(registry, dialect, option, profile):
    script = b"function f() return pcall(dovecot.http.client, { %s = '/tmp' }) end" % option
    is_open, problem = call(state_of("5.4", registry, script, dialect, profile))
    assert (profile == b"trusted") == is_open
    if not is_open:
        expected = b"http_client_%s names a place outside Lua, which the profile restricted does not allow" % option
        assert expected == problem


@pytest.mark.parametrize("profile", [b"trusted", b"restricted"])
def test_restricted_scripts_name_no_file_of_authorities(registry, profile):
    script = b"""function f()
       local _, problem = require("ssl.https").request({ url = "https://127.0.0.1", cafile = "/nosuch" })
       return problem
    end"""
    state = state_of("5.4", registry, script, profile=profile)
    step = state.start(b"f", [])
    if profile == b"trusted":
        assert (StepKind.PARKED, b"http_exchange") == (step[0], step[2])
    else:
        assert b"cafile names a file, which the profile restricted does not allow" == step[2]
