"""Redis over TLS with a private authority and client certificates: it works, and what is wrong is said clearly."""

import asyncio
import contextlib

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_async, connect_sync, translated
from dispatcher.protocol.errors import LualoftError, SettingsError, UnavailableError
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.certificates import Authority
from tests.ports import free_port
from tests.tls_server import running, tls_lines

SCRIPT = Script.from_stream("tls", b'function ping() return "pong" end')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder):
    return Authority(folder)


@contextlib.contextmanager
def tls_server(folder, authority, certificate):
    port = free_port()
    with running(folder / f"server-{port}", port, tls_lines(authority, certificate, port)):
        yield port


@pytest.fixture(scope="module")
def port(folder, authority):
    with tls_server(folder, authority, authority.issue("localhost", address="127.0.0.1")) as port:
        yield port


def address(port, ca, client=None, host="127.0.0.1"):
    files = f"ssl_ca_certs={ca}"
    if client is not None:
        files += f"&ssl_certfile={client[0]}&ssl_keyfile={client[1]}"
    return RedisSettings(url=Secret(f"rediss://{host}:{port}/0?{files}"))


def test_calls_go_over_tls_with_a_client_certificate(port, authority):
    settings = Settings(
        key=Secret(generate_key()),
        redis=address(port, authority.file, authority.issue("client")),
        pool=PoolSettings(workers=1),
    )
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert [b"pong"] == dispatcher.call(SCRIPT, "ping", deadline_s=20).values


def ping_sync(settings):
    with translated(settings), connect_sync(settings) as redis:
        redis.ping()


def ping_async(settings):
    async def ping():
        redis = connect_async(settings)
        try:
            with translated(settings):
                await redis.ping()
        finally:
            await redis.aclose()

    asyncio.run(ping())


PINGS = pytest.mark.parametrize("ping", [ping_sync, ping_async], ids=["blocking", "asyncio"])


@PINGS
def test_certificate_of_another_authority_is_refused(port, folder, authority, ping):
    other = Authority(folder, "other")
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1:\d+/0: its certificate is not accepted: self-signed"):
        ping(address(port, other.file, authority.issue("client")))


@PINGS
def test_certificate_for_another_host_is_refused(folder, authority, ping):
    certificate = authority.issue("redis.example")
    with (
        tls_server(folder, authority, certificate) as port,
        pytest.raises(SettingsError, match="IP address mismatch"),
    ):
        ping(address(port, authority.file, authority.issue("client")))


@PINGS
def test_expired_certificate_is_refused(folder, authority, ping):
    certificate = authority.issue("expired", address="127.0.0.1", is_expired=True)
    with (
        tls_server(folder, authority, certificate) as port,
        pytest.raises(SettingsError, match="certificate has expired"),
    ):
        ping(address(port, authority.file, authority.issue("client")))


@PINGS
def test_server_that_wants_a_client_certificate_is_understood(port, authority, ping):
    # A server that refuses may hang up before its reason is read.
    with pytest.raises(LualoftError, match="client certificate"):
        ping(address(port, authority.file))


@PINGS
def test_client_certificate_of_another_authority_is_refused_by_the_server(port, folder, authority, ping):
    other = Authority(folder, "stranger")
    with pytest.raises(LualoftError, match="client certificate"):
        ping(address(port, authority.file, other.issue("client2")))


@PINGS
@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "rubbish"])
@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_file_that_cannot_be_used_is_named(port, authority, tmp_path, ping, content, option):
    bad = tmp_path / "bad.pem"
    if content is not None:
        bad.write_bytes(content)
    certificate, key = authority.issue("client")
    files = {"ssl_ca_certs": authority.file, "ssl_certfile": certificate, "ssl_keyfile": key, option: bad}
    settings = address(port, files["ssl_ca_certs"], (files["ssl_certfile"], files["ssl_keyfile"]))
    with pytest.raises(SettingsError, match=rf"{option}.*bad\.pem|bad\.pem"):
        ping(settings)


def test_plain_client_on_a_tls_port_learns_something(port):
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port}"):
        ping_sync(RedisSettings(url=Secret(f"redis://127.0.0.1:{port}/0")))
