"""A DNS server on loopback and a resolver that asks it, with files of their own instead of the system's."""

import asyncio
from types import SimpleNamespace

import pytest

from dispatcher.protocol.settings import DnsSettings
from tests.dns_server import RunningDnsServer
from workers.dns.error import ResolveError
from workers.dns.resolver import Resolver
from workers.operations.loop_thread import LoopThread

#: Longer than any lookup here takes.
LIMIT_S = 10


@pytest.fixture
def server():
    with RunningDnsServer() as zone:
        yield zone


@pytest.fixture
def loop():
    loop = LoopThread()
    yield loop
    loop.stop()


@pytest.fixture
def files(tmp_path):
    """The system's files, empty."""
    hosts, resolv_conf = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.touch()
    resolv_conf.touch()
    return SimpleNamespace(hosts=hosts, resolv_conf=resolv_conf)


@pytest.fixture
def make_resolver(server, loop, files):
    """Make a resolver that asks the server; keywords are settings."""
    made = []

    def make(*, has_route=lambda _ip: True, **settings):
        given = {"servers": [server.address], "timeout_s": LIMIT_S} | settings
        resolver = Resolver(
            DnsSettings(**given),
            loop,
            hosts_file=str(files.hosts),
            resolv_conf=str(files.resolv_conf),
            has_route=has_route,
        )
        made.append(resolver)
        return resolver

    yield make
    for resolver in made:
        loop.result_of(resolver.close, LIMIT_S)


@pytest.fixture
def resolver(make_resolver):
    return make_resolver()


@pytest.fixture
def look_up(loop):
    """Look a name up; the addresses, or (code, text) of the error."""

    def look_up(resolver, host):
        try:
            return loop.result_of(lambda: resolver.lookup(host), LIMIT_S)
        except ResolveError as exc:
            return int(exc.code), exc.text

    return look_up


@pytest.fixture
def look_up_all(loop):
    """Look many names up at once."""

    def look_up_all(resolver, hosts):
        async def gather():
            return await asyncio.gather(*[resolver.lookup(host) for host in hosts], return_exceptions=True)

        return loop.result_of(gather, LIMIT_S)

    return look_up_all
