"""The ways to reach a server: TLS, an ACL user, an address in a file, a database of its own."""

import asyncio
import contextlib

import pytest

from dispatcher.embedded import EmbeddedServer
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, RedisSettings
from dispatcher.protocol.settings_source import load_settings
from tests.conformance.modules.servers import certificate
from workers.dict.factory import make_dictionary


@pytest.fixture
def server():
    with EmbeddedServer() as server:
        with connect_sync(RedisSettings(url=Secret(server.url))) as client:
            client.execute_command("ACL", "SETUSER", "mail", "on", ">pass/word@", "~*", "+@all")
        yield server


@contextlib.asynccontextmanager
async def tls_front(server, context):
    """Take TLS connections on loopback and pass them on to the server; yields the port."""

    async def serve(reader, writer):
        server_reader, server_writer = await asyncio.open_unix_connection(server.url.removeprefix("unix://"))
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))

    async def pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()


async def use(settings):
    """Write and read; returns the commit's and the lookup's results."""
    dictionary = make_dictionary(settings)
    transaction = dictionary.begin()
    transaction.set(b"shared/a", b"1")
    results = await transaction.commit(), await dictionary.lookup(b"shared/a")
    await dictionary.close()
    return results


def test_tls_with_an_acl_user(server, tmp_path):
    context, authority = certificate(tmp_path)

    async def test():
        async with tls_front(server, context) as port:
            place = f"mail:pass%2Fword%40@127.0.0.1:{port}/0?ssl_ca_certs={authority}"
            return await use(DictSettings(url=Secret(f"rediss://{place}")))

    commit, lookup = asyncio.run(test())
    assert ("ok", (b"1",)) == (commit.kind, lookup.values)


def test_certificate_that_nobody_vouches_for_is_refused(server, tmp_path):
    context, _ = certificate(tmp_path)

    async def test():
        async with tls_front(server, context) as port:
            return await use(DictSettings(url=Secret(f"rediss://mail:hunter2@127.0.0.1:{port}/0")))

    for result in asyncio.run(test()):
        assert "failed" == result.kind
        assert result.error.startswith("connect() failed: ")
        assert "certificate is not accepted" in result.error
        assert "hunter2" not in result.error


def test_address_with_its_password_comes_from_a_file(server, tmp_path):
    (tmp_path / "url").write_text(f"{server.url}?username=mail&password=pass/word@\n")
    config = tmp_path / "lualoft.toml"
    config.write_text('[dicts.d]\nurl_file = "url"\n')
    settings = load_settings(toml_path=str(config), environ={}, flags={}).settings
    commit, lookup = asyncio.run(use(settings.dicts["d"]))
    assert ("ok", (b"1",)) == (commit.kind, lookup.values)


def test_databases_are_apart(server):
    def in_database(number):
        return DictSettings(url=Secret(f"{server.url}?db={number}"))

    async def test():
        await use(in_database(1))
        dictionary = make_dictionary(in_database(2))
        result = await dictionary.lookup(b"shared/a")
        await dictionary.close()
        return result

    assert "not_found" == asyncio.run(test()).kind
