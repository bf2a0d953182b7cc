import pytest

from dispatcher.protocol.connection import (
    connect_async,
    connect_sync,
    describe,
    longest_block_ms,
    require_key,
)
from dispatcher.protocol.errors import KeyMissingError, SettingsError
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings, Settings
from tests.certificates import Authority


def redis_settings(url, **others):
    return RedisSettings(url=Secret(url), **others)


def options_of(client):
    return client.connection_pool.connection_kwargs


@pytest.mark.parametrize("connect", [connect_sync, connect_async], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "redis://me:pw@h:1/2", {"host": "h", "port": 1, "db": 2, "username": "me", "password": "pw"}, id="redis"
        ),
        pytest.param("rediss://h", {"host": "h", "ssl_cert_reqs": "required"}, id="rediss"),
        pytest.param("unix:///r.sock?db=1&password=pw", {"path": "/r.sock", "db": 1, "password": "pw"}, id="unix"),
        pytest.param("sentinel://me:pw@a,b/svc?db=3", {"db": 3, "username": "me", "password": "pw"}, id="sentinel"),
    ],
)
def test_client_goes_where_the_address_says(connect, url, expected):
    options = options_of(connect(redis_settings(url)))
    assert expected == {name: options[name] for name in expected}


@pytest.mark.parametrize("connect", [connect_sync, connect_async], ids=["sync", "async"])
def test_client_uses_the_authority_of_the_address(connect, tmp_path):
    file = Authority(tmp_path).file
    assert str(file) == options_of(connect(redis_settings(f"rediss://h?ssl_ca_certs={file}")))["ssl_ca_certs"]


@pytest.mark.parametrize("connect", [connect_sync, connect_async], ids=["sync", "async"])
def test_client_answers_in_bytes_and_has_the_time_outs_of_the_settings(connect):
    options = options_of(connect(redis_settings("redis://h", socket_timeout_s=7.0, connect_timeout_s=1.5)))
    assert (False, 7.0, 1.5) == (
        options["decode_responses"],
        options["socket_timeout"],
        options["socket_connect_timeout"],
    )


@pytest.mark.parametrize("connect", [connect_sync, connect_async], ids=["sync", "async"])
@pytest.mark.parametrize("url", ["redis://me:swordfish@h", "sentinel://me:swordfish@h/svc?sentinel_password=swordfish"])
def test_repr_of_a_client_shows_no_password(connect, url):
    assert "swordfish" not in repr(connect(redis_settings(url)))


@pytest.mark.parametrize("connect", [connect_sync, connect_async], ids=["sync", "async"])
def test_bad_address_is_a_settings_error(connect):
    with pytest.raises(SettingsError, match="sentinel://"):
        connect(redis_settings("http://h"))


def test_blocking_command_ends_before_the_client_gives_up():
    settings = redis_settings("redis://h", socket_timeout_s=5.0)
    assert 1000 <= longest_block_ms(settings) < 5000


@pytest.mark.parametrize("wrap", [str, Secret], ids=["text", "secret"])
def test_describe_hides_the_password(wrap):
    assert "redis://h:6379/0" == describe(wrap("redis://me:swordfish@h"))


def test_configured_redis_without_a_key_is_refused():
    with pytest.raises(KeyMissingError) as caught:
        require_key(Settings(redis=redis_settings("redis://me:swordfish@h")))
    assert "redis://h:6379/0" == caught.value.redis_address
    assert "lualoft keygen" in str(caught.value)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(Settings(), id="embedded server"),
        pytest.param(Settings(key=Secret("k"), redis=redis_settings("redis://h")), id="with a key"),
    ],
)
def test_key_is_not_missing(settings):
    require_key(settings)
