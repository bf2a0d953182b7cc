"""Sentinels over TLS with a private authority and client certificates: used by all, followed, and clear errors."""

import asyncio
import contextlib
import json
import time

import pytest

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.cli.app import run
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_async, connect_sync, disconnect, translated
from dispatcher.protocol.errors import LualoftError, SettingsError, UnavailableError
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import DictSettings, PoolSettings, RedisSettings, ScriptSettings, Settings
from tests.certificates import Authority
from tests.ports import free_port
from tests.tls_server import running, tls_lines
from tests.waiting import wait_until

LIMIT_S = 30.0

SCRIPT = Script.from_stream(
    "counting",
    b"""
    function count()
       local dict = dovecot.dict.open("counters")
       local transaction = dict:transaction_begin()
       transaction:atomic_inc("shared/n", 1)
       transaction:commit()
       return dict:lookup("shared/n")[1]
    end
    """,
    ScriptSettings(dicts=["counters"]),
)

#: Of a Sentinel: which server it watches, and its own user.
WATCHING = """\
sentinel monitor main 127.0.0.1 {port} 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
user asker on >heron ~* &* +@all"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("localhost", address="127.0.0.1")


@pytest.fixture(scope="module")
def files(authority):
    certificate, key = authority.issue("client")
    return {"ssl_ca_certs": authority.file, "ssl_certfile": certificate, "ssl_keyfile": key}


class Site:
    """A server and a Sentinel, their ports, and how they are reached."""

    def __init__(self, port, sentinel_port, files):
        self.port = port
        self.sentinel_port = sentinel_port
        self._files = files

    def settings(self, scheme="rediss+sentinel", **options):
        """Return an address of the Sentinel; files that are None are left out."""
        given = {**self._files, **options} if scheme == "rediss+sentinel" or options else {}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
        return RedisSettings(url=Secret(f"{scheme}://127.0.0.1:{self.sentinel_port}/main?{query or 'db=0'}"))

    def ask_sentinel(self, *command):
        query = "&".join(f"{name}={value}" for name, value in self._files.items())
        with connect_sync(RedisSettings(url=Secret(f"rediss://127.0.0.1:{self.sentinel_port}/0?{query}"))) as redis:
            return redis.execute_command(*command)


@contextlib.contextmanager
def sentinel_site(folder, authority, certificate, files, *, has_sentinel_tls=True):
    port, sentinel_port = free_port(), free_port()
    lines = tls_lines(authority, certificate, sentinel_port)
    if not has_sentinel_tls:
        lines = [f"port {sentinel_port}", *lines[2:]]
    lines += ["tls-replication yes", *WATCHING.format(port=port).split("\n")]
    with (
        running(folder / "server", port, tls_lines(authority, certificate, port)) as process,
        running(folder / "sentinel", sentinel_port, lines, is_sentinel=True),
    ):
        site = Site(port, sentinel_port, files)
        site.process = process
        yield site


@pytest.fixture(scope="module")
def site(tmp_path_factory, authority, certificate, files):
    with sentinel_site(tmp_path_factory.mktemp("site"), authority, certificate, files) as site:
        yield site


def whole(redis_settings):
    return Settings(
        key=Secret(generate_key()),
        redis=redis_settings,
        pool=PoolSettings(workers=1),
        dicts={"counters": DictSettings(url=redis_settings.url, prefix="counters/")},
    )


def test_dispatcher_pool_status_and_dicts_reach_redis_through_it(site, capfd, tmp_path):
    settings = whole(site.settings())
    with LocalPool(settings), Dispatcher(settings) as dispatcher:
        assert [b"1"] == dispatcher.call(SCRIPT, "count", deadline_s=20).values
        address = tmp_path / "redis-url"
        address.write_text(settings.redis.url.reveal())
        config = tmp_path / "lualoft.toml"
        config.write_text(f'key = "{settings.key.reveal()}"\n[redis]\nurl_file = "{address}"\n')
        assert 0 == run(["--config", str(config), "status", "--json"])
        assert 1 == len(json.loads(capfd.readouterr().out)["workers"])


def test_failover_is_followed_over_tls(tmp_path, authority, certificate, files):
    with sentinel_site(tmp_path, authority, certificate, files) as site:
        second = free_port()
        lines = [
            *tls_lines(authority, certificate, second),
            "tls-replication yes",
            f"replicaof 127.0.0.1 {site.port}",
        ]
        with running(tmp_path / "second", second, lines):
            wait_until(lambda: "1" == primary_of(site)["num-slaves"], limit_s=LIMIT_S)
            settings = whole(site.settings())
            with LocalPool(settings), Dispatcher(settings) as dispatcher:
                assert dispatcher.call(SCRIPT, "count", deadline_s=20).is_ok
                site.process.kill()
                wait_until(lambda: str(second) == primary_of(site)["port"], limit_s=LIMIT_S)
                limit_s = time.monotonic() + LIMIT_S
                while not dispatcher.call(SCRIPT, "count", deadline_s=3).is_ok:
                    assert time.monotonic() < limit_s


def primary_of(site):
    """Return what the Sentinel knows of the primary."""
    (state,) = site.ask_sentinel("SENTINEL", "MASTERS")
    items = state.items() if isinstance(state, dict) else zip(state[::2], state[1::2], strict=True)
    return {text(name): text(value) for name, value in items}


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def ping_sync(settings):
    with translated(settings), connect_sync(settings, retry_count=0) as redis:
        redis.ping()


def ping_async(settings):
    async def ping():
        redis = connect_async(settings, retry_count=0)
        try:
            with translated(settings):
                await redis.ping()
        finally:
            await disconnect(redis)
            await all_closed()

    asyncio.run(ping())


async def all_closed():
    """Wait for connections that failed: redis-py closes them without waiting, and TLS takes a moment to say goodbye."""
    loop = asyncio.get_running_loop()
    limit_s = loop.time() + LIMIT_S
    # One is the loop's own.
    while len(loop._selector.get_map()) > 1 and loop.time() < limit_s:
        await asyncio.sleep(0.01)


PINGS = pytest.mark.parametrize("ping", [ping_sync, ping_async], ids=["blocking", "asyncio"])


@PINGS
def test_sentinel_in_the_clear_before_a_server_with_tls(tmp_path, authority, certificate, files, ping):
    with sentinel_site(tmp_path, authority, certificate, files, has_sentinel_tls=False) as site:
        ping(site.settings(sentinel_tls="no"))
        # It may refuse what it does not understand, or wait for more of it.
        with pytest.raises(LualoftError, match=r"Sentinel .* speak TLS on this port"):
            ping(site.settings())


@PINGS
def test_user_of_the_sentinels_is_used(site, ping):
    site.ask_sentinel("ACL", "SETUSER", "default", "-@all", "+auth", "+hello", "+ping", "+client", "+acl", "+sentinel")
    ping(site.settings(sentinel_username="asker", sentinel_password="heron"))


@PINGS
def test_wrong_password_for_the_sentinels_is_named_as_theirs(site, ping):
    with pytest.raises(SettingsError, match=r"a Sentinel of .*/main\?db=0 refuses the user name") as caught:
        ping(site.settings(sentinel_username="asker", sentinel_password="swordfish"))
    assert "swordfish" not in str(caught.value)


@PINGS
def test_certificate_of_another_authority_is_refused(site, tmp_path, ping):
    other = Authority(tmp_path, "other")
    with pytest.raises(
        SettingsError, match=r"no TLS with a Sentinel of .*its certificate is not accepted: self-signed"
    ):
        ping(site.settings(ssl_ca_certs=other.file))


@PINGS
def test_sentinel_that_wants_a_client_certificate_is_understood(site, ping):
    with pytest.raises(LualoftError, match="client certificate"):
        ping(site.settings(ssl_certfile=None, ssl_keyfile=None))


@PINGS
def test_one_sentinel_that_answers_is_enough(site, ping):
    ping(with_further_host(site.settings(), f"127.0.0.1:{free_port()}"))


@PINGS
def test_sentinel_that_is_away_beside_one_that_is_not_trusted_may_come_back(site, tmp_path, ping):
    other = Authority(tmp_path, "other")
    with pytest.raises(UnavailableError, match="no Sentinel answers, Connection refused"):
        ping(with_further_host(site.settings(ssl_ca_certs=other.file), f"127.0.0.1:{free_port()}"))


def with_further_host(settings, host):
    return RedisSettings(url=Secret(settings.url.reveal().replace("://", f"://{host},")))


@PINGS
def test_missing_file_is_named(site, tmp_path, ping):
    with pytest.raises(SettingsError, match=r"ssl_ca_certs=.*nowhere\.pem cannot be read, No such file"):
        ping(site.settings(ssl_ca_certs=tmp_path / "nowhere.pem"))


@PINGS
def test_address_without_tls_on_a_sentinel_with_it_is_unavailable(site, ping):
    with pytest.raises(UnavailableError, match="no Sentinel answers"):
        ping(site.settings("sentinel"))


@PINGS
def test_server_without_tls_behind_a_sentinel_with_it_is_named(site, ping):
    # The Sentinel names the port of the server, which speaks TLS only.
    with pytest.raises(UnavailableError, match="is not available"):
        ping(site.settings("sentinel", sentinel_tls="yes"))


@PINGS
def test_unknown_service_is_unavailable(site, ping):
    url = site.settings().url.reveal().replace("/main?", "/mian?")
    with pytest.raises(UnavailableError, match="no Sentinel names a primary of 'mian'"):
        ping(RedisSettings(url=Secret(url)))


@PINGS
def test_server_that_is_no_sentinel_is_named(site, ping):
    url = site.settings().url.reveal().replace(f":{site.sentinel_port}/", f":{site.port}/")
    with pytest.raises(SettingsError, match=r"a Sentinel of .* is none"):
        ping(RedisSettings(url=Secret(url)))
