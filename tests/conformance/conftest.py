"""The operations that cases wait for, run against real servers on loopback."""

import pytest

from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, DnsSettings
from tests.dns_server import RunningDnsServer, silent, with_rcode
from workers.dict_binding.natives import dict_natives
from workers.dict_binding.operations import DictOperations
from workers.dns.resolver import Resolver
from workers.operations.dns_lookup import dns_lookup
from workers.operations.loop_thread import LoopThread

#: Longer than any operation of a case takes.
LIMIT_S = 10

#: The dicts of the cases: one that works, and one whose server is not there.
DICTS = {
    "m": DictSettings(driver="memory"),
    "small": DictSettings(driver="memory", max_value_bytes=3),
    "down": DictSettings(url=Secret("unix:///nowhere/redis.sock")),
}


@pytest.fixture(scope="session")
def loop():
    loop = LoopThread()
    yield loop
    loop.stop()


@pytest.fixture
def operations(loop, dns_operations):
    """Operation -> a function that runs it to its end; the dicts are fresh."""
    dicts = DictOperations(DICTS, loop)

    def finished(operation):
        return lambda *args: loop.result_of(lambda: operation.function(*args), LIMIT_S)

    yield {
        **dns_operations,
        **{name: finished(operation) for name, operation in dicts.operations.items()},
        # What Lua calls directly, not as an operation.
        b"natives": dict_natives(dicts, list(DICTS)),
    }
    loop.result_of(dicts.close, LIMIT_S)


@pytest.fixture(scope="session")
def dns_operations(loop):
    with RunningDnsServer() as zone:
        zone.add("one.example", "A", "192.0.2.1")
        zone.add("two.example", "A", "192.0.2.2", "192.0.2.1")
        zone.add("six.example", "AAAA", "2001:db8::1")
        zone.add("mail.example", "MX", "10 mx.example.")
        zone.behaviours["failing.example"] = with_rcode("SERVFAIL")
        zone.behaviours["silent.example"] = silent
        settings = DnsSettings(servers=[zone.address], timeout_s=0.2, attempts=1)
        resolver = Resolver(settings, loop, hosts_file="/dev/null")
        lookup = dns_lookup(resolver).function
        yield {b"dns_lookup": lambda host: loop.result_of(lambda: lookup(host), LIMIT_S)}
        loop.result_of(resolver.close, LIMIT_S)
