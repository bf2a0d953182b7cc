"""The operations that cases wait for, run against real servers on loopback."""

import pytest

from dispatcher.protocol.settings import DnsSettings
from tests.dns_server import RunningDnsServer, silent, with_rcode
from workers.dns.resolver import Resolver
from workers.operations.dns_lookup import dns_lookup
from workers.operations.loop_thread import LoopThread

#: Longer than any operation of a case takes.
LIMIT_S = 10


@pytest.fixture(scope="session")
def operations():
    """Operation -> a function that runs it to its end."""
    loop = LoopThread()
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
        loop.stop([resolver.close])
