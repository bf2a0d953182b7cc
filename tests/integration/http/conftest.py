"""A server that misbehaves on demand, and clients that are closed after the test."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.http.asking import Asking
from tests.integration.http.certificates import Authority
from tests.integration.http.fault_server import FaultServer
from workers.http.client import HttpClient
from workers.http.network import Network
from workers.http.settings import ClientSettings


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_server(authority) -> Iterator[FaultServer]:
    with FaultServer(authority.server()) as running:
        yield running


@pytest.fixture
def make_client() -> Iterator[Callable[..., HttpClient]]:
    clients: list[HttpClient] = []

    def make(network: Network | None = None, options: dict | None = None, **settings: object) -> HttpClient:
        client = HttpClient(ClientSettings(**settings), network, **(options or {}))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def ask(make_client) -> Asking:
    """Sends one request through a client of its own: `ask(url, settings...)`."""
    return Asking(make_client)
