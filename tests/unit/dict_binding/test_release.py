"""What iterators hold outside Lua is given back, however their call goes on."""

import asyncio

import pytest

from dispatcher.protocol.settings import DictSettings
from tests.conformance.harness import ALL_LUAS
from tests.waiting import wait_until
from workers.dict_binding.natives import dict_natives
from workers.dict_binding.operations import DictOperations
from workers.lua.runtime import LuaState, StepKind
from workers.operations.loop_thread import LoopThread

LIMIT_S = 10
ROWS = 1700
#: Where a call may wait in a loop; Lua 5.1 fetches all rows beforehand.
LOOPING_LUAS = [version for version in ALL_LUAS if version != "5.1"]


class Host:
    """A Lua state whose calls are driven by hand."""

    def __init__(self, version, body):
        self.loop = LoopThread()
        self.dicts = DictOperations({"m": DictSettings(driver="memory")}, self.loop)
        natives = {"log": lambda *_: None, **dict_natives(self.dicts, ["m"])}
        self.state = LuaState(version, natives)
        assert "" == self.state.compile(f"function f(d) {body} end".encode(), b"@t.lua")
        assert StepKind.DONE == self.state.start_main()[0]

    def fill(self):
        changes = []
        for number in range(ROWS):
            changes += [b"set", b"shared/%d" % number, b""]
        assert (True,) == self.run(self.dicts.commit(b"m", b"", 0, changes))

    def run(self, coroutine):
        return self.loop.result_of(lambda: coroutine, LIMIT_S)

    def answer(self, step):
        """Run the operation of a parked step and go on."""
        args = self.state.values_of(step[1:], 1 << 20)
        operation = self.dicts.operations[step[2]]
        return self.state.resume(step[1], tuple(self.run(operation.function(*args))))

    def close(self):
        self.loop.stop([self.dicts.close])


@pytest.fixture
def host():
    hosts = []

    def make(version, body):
        hosts.append(Host(version, body))
        hosts[0].fill()
        return hosts[0]

    yield make
    hosts[0].close()


def start(host):
    return host.state.start(b"f", [{b"$dict": b"m"}])


@pytest.mark.parametrize("version", LOOPING_LUAS)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("for k in d:iterate('shared/', 0) do return k end", StepKind.DONE),
        ("for k in d:iterate('shared/', 0) do error('stop') end", StepKind.FAILED),
        ("for k in d:iterate('shared/', 0) do break end", StepKind.DONE),
        ("leaked, state = d:iterate('shared/', 0) leaked(state, nil)", StepKind.DONE),
    ],
    ids=["return", "error", "break", "kept in a global"],
)
def test_end_of_the_call_releases_an_iterator(host, version, body, kind):
    host = host(version, body)
    step = start(host)
    assert StepKind.PARKED == step[0]
    assert kind == host.answer(step)[0]
    wait_until(lambda: host.dicts.open_iterator_count == 0, LIMIT_S)


@pytest.mark.parametrize("version", LOOPING_LUAS)
def test_cancelled_call_releases_its_iterator(host, version):
    host = host(version, "local n = 0 for k in d:iterate('shared/', 0) do n = n + 1 end return n")
    step = host.answer(start(host))
    assert StepKind.PARKED == step[0]
    assert 1 == host.dicts.open_iterator_count
    host.state.cancel(step[1])
    wait_until(lambda: host.dicts.open_iterator_count == 0, LIMIT_S)


@pytest.mark.parametrize("version", LOOPING_LUAS)
def test_collected_iterator_is_released_before_the_call_ends(host, version):
    body = """
    do
       local step, state = d:iterate('shared/', 0)
       step(state, nil)
    end
    collectgarbage() collectgarbage()
    d:lookup('shared/1')
    """
    host = host(version, body)
    step = host.answer(start(host))
    assert b"dict_lookup" == step[2]
    wait_until(lambda: host.dicts.open_iterator_count == 0, LIMIT_S)
    assert StepKind.DONE == host.answer(step)[0]


@pytest.mark.parametrize("version", ALL_LUAS)
def test_iterator_at_its_end_holds_nothing(host, version):
    host = host(version, "local n = 0 for k in d:iterate('shared/', 0) do n = n + 1 end return n")
    step = start(host)
    while step[0] == StepKind.PARKED:
        step = host.answer(step)
    assert [ROWS] == host.state.values_of(step, 1 << 20)
    assert 0 == host.dicts.open_iterator_count


def test_cancelled_fetch_holds_nothing():
    async def test():
        dicts = DictOperations({"m": DictSettings(driver="memory")}, LoopThread())
        await dicts.commit(b"m", b"", 0, [word for n in range(2000) for word in (b"set", b"shared/%d" % n, b"")])
        # Sorting waits for a thread, so the fetch can be caught in the middle.
        fetch = asyncio.ensure_future(dicts.iterate(0, b"m", b"shared/", 4, b""))
        while not dicts.open_iterator_count:
            await asyncio.sleep(0)
        fetch.cancel()
        await asyncio.wait([fetch])
        return fetch.cancelled(), dicts.open_iterator_count

    assert (True, 0) == asyncio.run(test())


def test_release_during_a_fetch_ends_it():
    async def test():
        dicts = DictOperations({"m": DictSettings(driver="memory")}, LoopThread())
        await dicts.commit(b"m", b"", 0, [word for n in range(2000) for word in (b"set", b"shared/%d" % n, b"")])
        fetch = asyncio.ensure_future(dicts.iterate(0, b"m", b"shared/", 4, b""))
        while not dicts.open_iterator_count:
            await asyncio.sleep(0)
        (number,) = dicts._iterators
        # Once more, so that the fetch has begun.
        await asyncio.sleep(0)
        dicts._release(number)
        await asyncio.wait([fetch])
        return fetch.cancelled(), dicts.open_iterator_count

    assert (True, 0) == asyncio.run(test())


def test_unknown_iterator_is_released_without_a_word():
    async def test():
        dicts = DictOperations({}, LoopThread())
        dicts._release(5)
        await dicts.close()

    asyncio.run(test())


@pytest.mark.parametrize("use", ["lookup", "iterate", "commit"])
def test_dict_that_the_worker_does_not_have_is_a_failure(use):
    async def test():
        dicts = DictOperations({}, LoopThread())
        if use == "lookup":
            return await dicts.lookup(b"x", b"shared/a", b"")
        if use == "iterate":
            return await dicts.iterate(0, b"x", b"shared/", 0, b"")
        return await dicts.commit(b"x", b"", 0, [b"set", b"shared/a", b"1"])

    text = b"there is no dict 'x' in the settings; known dicts: none"
    expected = {"lookup": (-1, text), "iterate": (0, text, []), "commit": (False, text)}
    assert expected[use] == asyncio.run(test())
