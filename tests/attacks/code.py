"""Attempts to have a worker run something."""

import os
import pickle
import time
import zlib

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.protocol import keys
from tests.attacks.field import ALWAYS_YES, CHECK


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def plant_pickled_job(field):
    data = pickle.dumps(("os.mkdir", None, (str(field.trap),), {}))
    field.put_job("evil-1", data=data, func_name="os.mkdir", created_at="2026-01-01T00:00:00Z", origin="default")
    field.put_job("evil-2", data=zlib.compress(data), timeout="1e308")


def plant_pickle_bomb(field):
    bomb = pickle.dumps(Evil(field.trap))
    names = ("data", "result", "meta", "exc_info", "args", "kwargs", "success_callback_name", "worker_name")
    field.put_job("evil-3", **dict.fromkeys(names, bomb))


def plant_callbacks(field):
    names = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    extras = dict.fromkeys(names, "os.mkdir") | {
        "serializer": "pickle",
        "job_class": "rq.job.Job",
        "meta": b"\x80\x04.",
    }

    def poison(job_id):
        field.redis.hset(keys.rq_job(job_id), mapping={**extras, "func_name": "os.system", "dependency_id": "evil-1"})

    assert [1] == field.while_suspended(poison).values


def plant_retries_and_repeats(field):
    fields = {"retries_left": 99, "retry_intervals": "[0]", "repeats_left": 99, "result_ttl": -1, "ttl": -1}
    outcome = field.while_suspended(lambda job_id: field.redis.hset(keys.rq_job(job_id), mapping=fields))
    assert [1] == outcome.values


def swap_script(field):
    field.check(script=ALWAYS_YES)
    theirs, ours = (keys.script_package(script.packed[0].hex()) for script in (ALWAYS_YES, CHECK))
    field.redis.copy(theirs, ours, replace=True)
    # Another process than the one that has it loaded asks Redis.
    with Dispatcher(field.settings):
        assert [0] == field.check(password="wrong").values


def spoil_script(field):
    script = Script.from_stream(f"fresh {time.time()}", CHECK.source)
    field.redis.set(keys.script_package(script.packed[0].hex()), b"function verify() os.execute('x') return 1 end")
    assert [0] == field.check(password="wrong", script=script).values


def send_rq_commands(field):
    for command in ('{"command": "shutdown"}', '{"command": "kill-horse"}', '{"command": "stop-job", "job_id": "x"}'):
        field.redis.publish(f"rq:pubsub:{field.worker}", command)


def replace_redis_scripts(field):
    field.redis.script_flush()
    field.redis.function_load("#!lua name=evil\nredis.register_function('evil', function() return 1 end)", replace=True)
