"""Lookups that several wait for: one for all, and none when nobody waits."""

import asyncio

import pytest

from workers.dns.flights import Flights


class Desk:
    """Looks names up when the test says so."""

    def __init__(self):
        self.begun = []
        self.cancelled = []
        self.results = {}

    async def look_up(self, name):
        self.begun.append(name)
        result = self.results[name] = asyncio.get_running_loop().create_future()
        try:
            return await result
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise


async def settle():
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def passengers(flights, count):
    return [asyncio.create_task(flights.join(b"a")) for _ in range(count)]


async def cancel(*tasks):
    for task in tasks:
        task.cancel()
    await settle()


@pytest.mark.parametrize("count", [1, 2, 100])
def test_all_who_wait_for_a_name_get_the_one_result(count):
    async def body():
        desk = Desk()
        flights = Flights(desk.look_up)
        waiting = passengers(flights, count)
        await settle()
        desk.results[b"a"].set_result(("192.0.2.1",))
        assert [("192.0.2.1",)] * count == await asyncio.gather(*waiting)
        assert ([b"a"], 0) == (desk.begun, len(flights))

    asyncio.run(body())


def test_all_who_wait_for_a_name_get_the_one_error():
    async def body():
        desk = Desk()
        waiting = passengers(Flights(desk.look_up), 2)
        await settle()
        desk.results[b"a"].set_exception(LookupError("no"))
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert ["no", "no"] == [str(error) for error in errors]

    asyncio.run(body())


def test_lookup_goes_on_while_one_waits():
    async def body():
        desk = Desk()
        first, second = passengers(Flights(desk.look_up), 2)
        await settle()
        await cancel(first)
        assert [] == desk.cancelled
        desk.results[b"a"].set_result(())
        assert () == await second

    asyncio.run(body())


def test_lookup_ends_when_nobody_waits_any_more():
    async def body():
        desk = Desk()
        flights = Flights(desk.look_up)
        waiting = passengers(flights, 2)
        await settle()
        await cancel(*waiting)
        assert ([b"a"], 0) == (desk.cancelled, len(flights))

    asyncio.run(body())


def test_who_comes_while_a_lookup_is_being_ended_gets_one_of_their_own():
    async def body():
        desk = Desk()
        flights = Flights(desk.look_up)
        (first,) = passengers(flights, 1)
        await settle()
        first.cancel()
        # The first passenger has left; the task that it gave up has not ended yet.
        while len(flights):
            await asyncio.sleep(0)
        (second,) = passengers(flights, 1)
        await settle()
        desk.results[b"a"].set_result(("192.0.2.1",))
        assert ("192.0.2.1",) == await second
        assert [b"a", b"a"] == desk.begun

    asyncio.run(body())
