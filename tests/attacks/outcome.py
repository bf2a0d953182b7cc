"""Attempts to forge an outcome, or to have a recorded one or a recorded login count again."""

import os
import time

from dispatcher.blocking import Dispatcher
from dispatcher.protocol import keys
from dispatcher.protocol.outcome import OutcomeKind
from dispatcher.protocol.reply import OUTCOMES_FIELD, REFUSAL_FIELD
from dispatcher.protocol.sealing import Seal, generate_key
from tests.attacks.field import QUEUE, Field, rejected
from tests.waiting import wait_until


def forge_outcome(field):
    for fields in (
        {OUTCOMES_FIELD: b"\x91\x01"},
        {OUTCOMES_FIELD: b"\x01" + os.urandom(200)},
        {"x": "y"},
        {b"\xff": b""},
    ):
        field.redis.xadd(field.stream, fields)
    assert [0] == field.check(password="wrong").values


def seal_outcome_with_another_key(field):
    sealed = Seal.from_keys([generate_key()]).seal(b"\x92\x01\x90", field.stream.encode())
    field.redis.xadd(field.stream, {OUTCOMES_FIELD: sealed})
    assert [0] == field.check(password="wrong").values


def replay_outcome(field):
    field.check()
    yes = field.recorded_outcomes()

    def replay(_job_id):
        for _ in range(10):
            field.redis.xadd(field.stream, {OUTCOMES_FIELD: yes})

    assert [0] == field.while_suspended(replay, password="wrong").values


def give_outcome_of_another_dispatcher(field):
    with Dispatcher(field.settings) as other:
        theirs = Field(field.settings, field.redis, other, field.trap)
        theirs.check()
        yes = theirs.recorded_outcomes()
    # The same number there and here: calls are counted from 1 in every dispatcher.
    with Dispatcher(field.settings) as fresh:
        mine = Field(field.settings, field.redis, fresh, field.trap)
        field.redis.xadd(mine.stream, {OUTCOMES_FIELD: yes})
        assert [0] == mine.check(password="wrong").values


def flip_bits_of_an_outcome(field):
    field.check()
    sealed = bytearray(field.recorded_outcomes())
    for place in range(0, len(sealed), 7):
        sealed[place] ^= 1
        field.redis.xadd(field.stream, {OUTCOMES_FIELD: bytes(sealed)})
    assert [0] == field.check(password="wrong").values


def forge_refusal(field):
    for number in ("1", "2", "999999999999999999", "9" * 5000, "-1", "\u0663", "x"):
        field.redis.xadd(field.stream, {REFUSAL_FIELD: f"{number} evil"})
    assert field.check(password="wrong").values in ([0], [])


def flip_bits_of_a_chunk(field):
    def flip(job_id):
        sealed = bytearray(field.redis.hget(keys.rq_job(job_id), "data"))
        sealed[-20] ^= 1
        field.redis.hset(keys.rq_job(job_id), "data", bytes(sealed))

    assert OutcomeKind.REJECTED is field.while_suspended(flip).kind


def exchange_two_chunks(field):
    def exchange(job_id):
        other = field.submit(password="wrong", deadline_s=5)
        wait_until(lambda: field.redis.llen(QUEUE) > 1)
        other_id = field.redis.lrange(QUEUE, 0, -1)[-1].decode()
        one, two = (field.redis.hget(keys.rq_job(name), "data") for name in (job_id, other_id))
        field.redis.hset(keys.rq_job(job_id), "data", two)
        field.redis.hset(keys.rq_job(other_id), "data", one)
        outcomes.append(other)

    outcomes = []
    assert OutcomeKind.REJECTED is field.while_suspended(exchange, deadline_s=5).kind
    assert OutcomeKind.REJECTED is outcomes[0].result(timeout=20).kind


def send_chunk_to_another_queue(field):
    def move(job_id):
        field.redis.lrem(QUEUE, 1, job_id)
        field.redis.rpush(keys.rq_queue("other"), job_id)

    # Nobody listens there, and where somebody does the chunk does not open: its queue is in the seal.
    assert OutcomeKind.DEADLINE_EXCEEDED is field.while_suspended(move, deadline_s=3).kind
    field.redis.delete(keys.rq_queue("other"))


def replay_login(field):
    recorded = []

    def record(job_id):
        recorded.append((job_id, field.redis.hgetall(keys.rq_job(job_id))))

    assert [1] == field.while_suspended(record).values
    (job_id, fields), before = recorded[0], rejected(field.redis)
    wait_until(lambda: not field.redis.exists(keys.rq_job(job_id)))
    for _ in range(3):
        field.redis.hset(keys.rq_job(job_id), mapping=fields)
        field.redis.rpush(QUEUE, job_id)
    wait_until(lambda: rejected(field.redis) == before + 3)
    field.redis.delete(keys.rq_job(job_id))


def write_far_ahead_of_the_workers(field):
    """Redis takes no entry behind the largest id; and where the stream is gone, a reader looks behind it in vain."""
    in_an_hour = int(time.time() + 3600) * 1000
    for entry_id, is_deleted in (
        (f"{in_an_hour}-0", True),
        (f"{in_an_hour}-0", False),
        (f"{2**64 - 1}-{2**64 - 1}", True),
    ):
        field.check()
        recorded = field.recorded_outcomes()
        field.redis.xadd(field.stream, {OUTCOMES_FIELD: recorded}, id=entry_id)
        if is_deleted:
            field.redis.delete(field.stream)
        wait_until(lambda: [0] == field.check(password="wrong", deadline_s=2).values)


def put_another_type_in_place_of_a_stream(field):
    field.redis.delete(field.stream)
    field.redis.set(field.stream, "x")
    wait_until(lambda: [0] == field.check(password="wrong", deadline_s=2).values)
