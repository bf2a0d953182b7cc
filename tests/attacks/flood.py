"""Attempts to fill the memory of Redis or of lualoft."""

import os

from dispatcher.protocol import keys
from dispatcher.protocol.reply import OUTCOMES_FIELD
from tests.attacks.field import QUEUE
from tests.waiting import wait_until


def flood_with_jobs(field):
    with field.redis.pipeline(transaction=False) as pipeline:
        for number in range(2000):
            pipeline.hset(keys.rq_job(f"evil-{number}"), "data", os.urandom(500))
            pipeline.rpush(QUEUE, f"evil-{number}")
        pipeline.execute()
    wait_until(lambda: not field.redis.exists(QUEUE), limit_s=60)


def flood_with_replies(field):
    for _ in range(2000):
        field.redis.xadd(field.stream, {OUTCOMES_FIELD: os.urandom(1000)})
    assert [0] == field.check(password="wrong").values
    wait_until(lambda: field.check() and field.redis.xlen(field.stream) < 200, limit_s=30)


def refuse_to_strangers(field):
    for number in range(300):
        field.put_job(f"{'a' * 18}{number}-1", data=b"x" * 100)
    wait_until(lambda: not field.redis.exists(QUEUE), limit_s=30)
    assert all(field.redis.ttl(key) > 0 for key in field.redis.keys(keys.reply_stream("a" * 18 + "*")))
    field.redis.delete(*field.redis.keys(keys.reply_stream("a" * 18 + "*")))


def fill_parked_scripts(field):
    for start in range(0, 200_000, 10_000):
        entries = {f"{number:064x}": b'00 [9e9, 60.0, "x"]' for number in range(start, start + 10_000)}
        field.redis.hset(keys.PARKED_SCRIPTS, mapping=entries)
    assert [0] == field.check(password="wrong", deadline_s=2).values
    wait_until(lambda: not field.redis.exists(keys.PARKED_SCRIPTS))
