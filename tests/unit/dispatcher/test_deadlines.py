import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.deadlines import Deadlines


def test_expired_calls_are_told_and_answered_ones_are_not():
    async def scenario():
        expired = asyncio.get_running_loop().create_future()
        deadlines = Deadlines(expired.set_result)
        now_s = asyncio.get_running_loop().time()
        answered = deadlines.add(1, now_s)
        deadlines.add(2, now_s)
        deadlines.discard(1, answered)
        return await asyncio.wait_for(expired, 5)

    assert {2} == asyncio.run(scenario())


def test_earlier_deadline_that_comes_later_is_not_kept_waiting():
    async def scenario():
        expired = asyncio.get_running_loop().create_future()
        deadlines = Deadlines(expired.set_result)
        now_s = asyncio.get_running_loop().time()
        deadlines.add(1, now_s + 3600)
        deadlines.add(2, now_s)
        ids = await asyncio.wait_for(expired, 5)
        deadlines.close()
        return ids

    assert {2} == asyncio.run(scenario())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=50))
def test_every_deadline_is_told_once_and_never_early(waits_s):
    async def scenario():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        told = {}

        def expire(ids):
            for call_id in ids:
                assert call_id not in told
                told[call_id] = loop.time()
            if len(told) == len(waits_s):
                done.set_result(None)

        deadlines = Deadlines(expire)
        due = [loop.time() + wait_s for wait_s in waits_s]
        for call_id, due_s in enumerate(due):
            deadlines.add(call_id, due_s)
        await asyncio.wait_for(done, 5)
        assert all(told[call_id] >= due_s - 0.002 for call_id, due_s in enumerate(due))

    asyncio.run(scenario())
