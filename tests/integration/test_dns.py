"""DNS lookups of scripts through the whole pool: 500 at once in one worker, and nothing left behind by a deadline."""

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.settings import DnsSettings, PoolSettings
from tests.dns_server import RunningDnsServer, silent

SCRIPT = Script.from_stream(
    "dns",
    b"""
    function lookup(client, name) return client:lookup(name) end
    function own(name) return dovecot.dns_client():lookup(name) end
    function ping() return "pong" end
    """,
)

CLIENT = {"$dns": True}

#: Longer than any of these calls takes.
LIMIT_S = 20


@pytest.fixture(scope="module")
def server():
    with RunningDnsServer() as zone:
        yield zone


@pytest.fixture(scope="module")
def looking_up(settings, server):
    """A dispatcher on a queue of its own with a single worker that asks the test's DNS server."""
    one = replace(
        settings,
        dispatch=replace(settings.dispatch, queue="dns"),
        pool=PoolSettings(workers=1, grace_s=5.0),
        dns=DnsSettings(servers=[server.address], timeout_s=LIMIT_S),
    )
    with LocalPool(one), Dispatcher(one) as dispatcher:
        yield dispatcher


@pytest.mark.parametrize(("function", "args"), [("lookup", [CLIENT]), ("own", [])])
def test_script_gets_addresses(looking_up, server, function, args):
    server.add("x.example", "A", "192.0.2.1")
    assert [[b"192.0.2.1"]] == looking_up.call(SCRIPT, function, *args, "x.example").values


def test_unknown_name_is_three_values(looking_up):
    outcome = looking_up.call(SCRIPT, "own", "nobody.example")
    assert [None, b"Name or service not known", -2] == outcome.values


def test_500_lookups_of_one_worker_are_in_flight_together(looking_up, server):
    for n in range(500):
        server.add(f"n{n}.example", "A", "192.0.2.1")
    calls = [looking_up.submit(SCRIPT, "lookup", [CLIENT, f"n{n}.example"], deadline_s=LIMIT_S) for n in range(500)]
    assert [[[b"192.0.2.1"]]] * 500 == [call.result(timeout=LIMIT_S).values for call in calls]


def test_lookup_ends_with_the_deadline_of_its_call(looking_up, server):
    server.behaviours["silent.example"] = silent
    calls = [looking_up.submit(SCRIPT, "own", ["silent.example"], deadline_s=0.3) for _ in range(50)]
    assert {OutcomeKind.DEADLINE_EXCEEDED} == {call.result(timeout=LIMIT_S).kind for call in calls}
    assert [b"pong"] == looking_up.call(SCRIPT, "ping").values


def test_object_that_does_not_exist_is_an_error_of_the_call(looking_up):
    outcome = looking_up.call(SCRIPT, "lookup", {"$dsn": True}, "x.example")
    assert OutcomeKind.SCRIPT_ERROR is outcome.kind
    assert "argument #1: there is no object '$dsn'" in outcome.error
