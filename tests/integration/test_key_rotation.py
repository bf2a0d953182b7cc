"""Keys rotate while dispatchers and workers work, and no call is lost: the steps of docs/security.md, under load."""

import threading
from contextlib import ExitStack, contextmanager

from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.cli.status_data import read_status
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.connection import connect_sync
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.sealing import generate_key
from dispatcher.protocol.secret import Secret
from tests.waiting import wait_until

SCRIPT = Script.from_stream("rotation", b'function ping() return "pong" end')


class Load:
    """Calls without a pause, on a thread of its own."""

    def __init__(self, dispatcher):
        self.kinds = set()
        self.count = 0
        self._dispatcher = dispatcher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            calls = [self._dispatcher.submit(SCRIPT, "ping", [], deadline_s=30) for _ in range(50)]
            self.kinds |= {call.result(timeout=60).kind for call in calls}
            self.count += len(calls)

    def go_on(self):
        """Wait until it has made some more calls."""
        seen = self.count
        wait_until(lambda: self.count > seen + 200, limit_s=30)

    @contextmanager
    def running(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


@contextmanager
def load_with(settings):
    with Dispatcher(settings) as dispatcher, Load(dispatcher).running() as load:
        load.go_on()
        yield load


def test_rotation_in_three_steps_loses_no_call(own):
    old, new = generate_key(), generate_key()
    steps = [replace(own, key=Secret(keys)) for keys in (f"{old},{new}", f"{new},{old}", new)]
    first = replace(own, key=Secret(old))
    with ExitStack() as pools, ExitStack() as loads:
        pools.enter_context(LocalPool(first))
        all_loads = [loads.enter_context(load_with(first))]
        for settings in steps:
            # First the workers roll, under the load of dispatchers with the keys of the step before; then these.
            before = pools.pop_all()
            pools.enter_context(LocalPool(settings))
            before.close()
            all_loads[-1].go_on()
            before = loads.pop_all()
            all_loads.append(loads.enter_context(load_with(settings)))
            before.close()
        all_loads[-1].go_on()
        loads.close()
    assert [{OutcomeKind.OK}] * 4 == [load.kinds for load in all_loads]
    with connect_sync(own.redis) as redis:
        assert [0] == [queue.rejected_jobs for queue in read_status(redis, "test").queues]
