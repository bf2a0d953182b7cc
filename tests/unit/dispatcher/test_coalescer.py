import asyncio

import pytest

from dispatcher.coalescer import Coalescer, Pending

#: Longer than any test: slots come back by answers only.
NEVER_S = 3600.0


class Wire:
    """Takes what the coalescer sends."""

    def __init__(self, **options):
        self.sent = []
        settings = {"max_invocations": 8, "max_bytes": 1000, "slot_return_s": NEVER_S} | options
        self.coalescer = Coalescer(lambda chunk, slot: self.sent.append((chunk, slot)), **settings)

    def add(self, count, size_bytes=1):
        for number in range(count):
            self.coalescer.add(Pending(number, b"x" * size_bytes))

    @property
    def sizes(self):
        return [len(chunk) for chunk, _ in self.sent]


def scenario(test):
    """Run an async test on a loop of its own."""

    def run():
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


async def turn():
    await asyncio.sleep(0)


@scenario
async def test_one_call_goes_out_at_once():
    wire = Wire()
    wire.add(1)
    await turn()
    assert [1] == wire.sizes


@scenario
async def test_calls_of_one_turn_are_split_over_the_free_slots():
    wire = Wire()
    wire.add(10)
    await turn()
    assert [5, 5] == wire.sizes


@scenario
async def test_nothing_goes_out_without_a_free_slot():
    wire = Wire()
    wire.add(2)
    await turn()
    wire.add(5)
    await turn()
    assert [1, 1] == wire.sizes
    assert 5 == len(wire.coalescer)


@scenario
async def test_chunk_is_capped_in_invocations():
    wire = Wire()
    wire.add(100)
    await turn()
    assert [8, 8] == wire.sizes


@scenario
async def test_chunk_is_capped_in_bytes_but_one_large_call_still_goes():
    wire = Wire(max_bytes=10)
    wire.add(4, size_bytes=5)
    await turn()
    assert [2, 2] == wire.sizes
    wire = Wire(max_bytes=10)
    wire.add(1, size_bytes=11)
    await turn()
    assert [1] == wire.sizes


@scenario
async def test_slot_comes_back_when_most_of_its_chunk_is_answered():
    wire = Wire()
    wire.add(16)
    await turn()
    wire.add(1)
    _, slot = wire.sent[0]
    for _ in range(5):
        wire.coalescer.answered(slot)
    await turn()
    assert [8, 8] == wire.sizes
    wire.coalescer.answered(slot)
    await turn()
    assert [8, 8, 1] == wire.sizes


@scenario
async def test_slot_comes_back_after_its_time_when_nothing_is_answered():
    wire = Wire(slot_return_s=0.0)
    wire.add(2)
    await turn()
    wire.add(1)
    wire.coalescer.written(wire.sent[0][1])
    while len(wire.sent) < 3:
        await turn()
    assert [1, 1, 1] == wire.sizes


@scenario
async def test_calls_travel_together_while_all_slots_have_come_back_by_time_only():
    wire = Wire(slot_return_s=0.0)
    wire.add(2)
    await turn()
    slots = [slot for _, slot in wire.sent]
    for slot in slots:
        wire.coalescer.written(slot)
    while not all(slot.is_free for slot in slots):
        await turn()
    wire.add(4)
    await turn()
    assert [1, 1, 4] == wire.sizes


@scenario
async def test_calls_are_split_again_once_the_late_chunks_are_answered():
    wire = Wire(slot_return_s=0.0)
    wire.add(2)
    await turn()
    slots = [slot for _, slot in wire.sent]
    for slot in slots:
        wire.coalescer.written(slot)
    while not all(slot.is_free for slot in slots):
        await turn()
    for slot in slots:
        wire.coalescer.answered(slot)
    wire.add(4)
    await turn()
    assert [1, 1, 2, 2] == wire.sizes


@scenario
async def test_slot_does_not_come_back_by_time_while_its_chunk_is_being_written():
    wire = Wire(slot_return_s=0.0)
    wire.add(2)
    await turn()
    wire.add(1)
    for _ in range(10):
        await turn()
    assert [1, 1] == wire.sizes


@scenario
async def test_slot_that_is_back_before_the_write_has_ended_comes_back_once():
    wire = Wire(slot_return_s=0.0)
    wire.add(2)
    await turn()
    _, slot = wire.sent[0]
    wire.coalescer.answered(slot)
    wire.coalescer.written(slot)
    assert slot.timer is None


@scenario
async def test_slot_comes_back_once_only():
    wire = Wire()
    wire.add(2)
    await turn()
    _, slot = wire.sent[0]
    wire.coalescer.answered(slot)
    wire.coalescer.release(slot)
    wire.coalescer.answered(slot)
    wire.add(9)
    await turn()
    # One slot was free: one chunk, not two.
    assert [1, 1, 8] == wire.sizes


@scenario
async def test_more_workers_mean_more_slots():
    wire = Wire()
    wire.coalescer.set_workers(4)
    wire.add(16)
    await turn()
    assert [2] * 8 == wire.sizes


@scenario
async def test_paused_coalescer_keeps_everything_until_it_goes_on():
    wire = Wire()
    wire.coalescer.pause()
    wire.add(3)
    await turn()
    assert [] == wire.sizes
    wire.coalescer.unpause()
    assert [2, 1] == wire.sizes


@scenario
async def test_chunk_that_is_put_back_goes_out_first_and_in_order():
    wire = Wire()
    wire.add(2)
    await turn()
    wire.add(1)
    (first, slot), _ = wire.sent
    again = [Pending(100, b"a"), Pending(101, b"b")]
    wire.coalescer.put_back(again)
    wire.coalescer.release(slot)
    await turn()
    assert [100, 101, 0] == [pending.invocation_id for pending in wire.sent[2][0]]
    assert 1 == len(first)


@pytest.mark.parametrize(("size", "answers"), [(1, 1), (2, 1), (4, 3), (512, 384)])
def test_three_quarters_of_a_chunk_free_its_slot(size, answers):
    async def test():
        wire = Wire(max_invocations=512)
        wire.add(2 * size)
        await turn()
        _, slot = wire.sent[0]
        for _ in range(answers - 1):
            wire.coalescer.answered(slot)
        assert not slot.is_free
        wire.coalescer.answered(slot)
        assert slot.is_free

    asyncio.run(test())
