"""What an attack on Redis works with: the server, a dispatcher to call with, a trap that code would make."""

from dispatcher.catalog import Script
from dispatcher.protocol import keys
from dispatcher.protocol.reply import OUTCOMES_FIELD
from tests.waiting import wait_until

QUEUE = keys.rq_queue("default")

CHECK = Script.from_stream(
    "check", b'function verify(user, password) return user == "ann" and password == "right" and 1 or 0 end'
)
ALWAYS_YES = Script.from_stream("always yes", b"function verify() return 1 end")


class Field:
    """What an attack works with: Redis, the dispatcher's insides (which an attacker can see in Redis), a trap."""

    def __init__(self, settings, redis, dispatcher, trap):
        self.settings = settings
        self.redis = redis
        self.dispatcher = dispatcher
        self.trap = trap

    @property
    def stream(self):
        return keys.reply_stream(self.dispatcher._dispatcher._dispatcher_id)

    @property
    def worker(self):
        # After a flush it lists itself again.
        wait_until(lambda: 1 == self.redis.scard(keys.rq_queue_workers("default")))
        (key,) = self.redis.smembers(keys.rq_queue_workers("default"))
        return key.decode().removeprefix("rq:worker:")

    def check(self, user="ann", password="right", script=CHECK, deadline_s=20.0):
        return self.dispatcher.call(script, "verify", user, password, deadline_s=deadline_s, idempotent=True)

    def put_job(self, job_id, **fields):
        self.redis.hset(keys.rq_job(job_id), mapping=fields)
        self.redis.rpush(QUEUE, job_id)

    def while_suspended(self, act, **call):
        """Hold the workers up, put a call on the queue, do something to it, let them go on; returns its outcome."""
        self.redis.set("rq:suspended", 1)
        wait_until(lambda: b"suspended" == self.redis.hget(keys.rq_worker(self.worker), "state"))
        # A worker that was waiting already takes one more.
        waiting = self.submit(**call)
        wait_until(lambda: self.redis.llen(QUEUE))
        act(self.redis.lrange(QUEUE, 0, -1)[-1].decode())
        self.redis.delete("rq:suspended")
        return waiting.result(timeout=60)

    def submit(self, user="ann", password="right", deadline_s=20.0):
        return self.dispatcher.submit(CHECK, "verify", [user, password], deadline_s=deadline_s, idempotent=True)

    def recorded_outcomes(self):
        """Return the newest entry of the stream."""
        ((_, fields),) = self.redis.xrevrange(self.stream, count=1)
        return fields[OUTCOMES_FIELD]


def rejected(redis):
    return int(redis.get(keys.rejected_count("default")) or 0)
