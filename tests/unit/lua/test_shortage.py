"""Running out of memory at any point of a feature costs that call, and leaves nothing behind for the next one.

Each feature runs with less and more room below its state's cap, so that memory ends at one allocation after the other,
those of our own code before and behind the script's included; after each time it must work again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from tests.unit.lua.states import make_state
from workers.http.natives import http_natives
from workers.http.registry import ClientRegistry
from workers.lua.runtime import Step, StepKind
from workers.lua.time_slice import TimeSlice

#: Not LuaJIT: an allocation that fails in the middle of its collector can end the process.
VERSIONS = ("5.1", "5.2", "5.3", "5.4", "5.5")
CAP_BYTES = 1 << 20

#: Calls after a starved one that may still want memory: Lua takes what stands in unused registers for used, and 5.1
#: does not collect before it gives up. The failure has what was left collected.
LATE_FAILURE_COUNT = 2

#: About the least that Lua allocates at once.
STEP_BYTES = 32

#: The same for what allocates much, as loading a file does.
LOADING_STEP_BYTES = 1000

#: A feature that had enough memory so many times in a row has it from there on.
ENOUGH_COUNT = 3
MOST_ROOM_BYTES = 400_000

#: Below the room that an empty call needs: there memory ends in our code in front of it.
BELOW_LEAST_BYTES = 2_000

SCRIPT = b"""
function starved(given) use(given) end
function tidy() collectgarbage() collectgarbage() end
"""

#: Name -> body of a function that raises if anything is not as it should be, and the lines that it logs.
FEATURES: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "coroutines": (
        b"""
        local co = coroutine.create(function(a) return coroutine.yield(a + 1) end)
        assert(select(2, coroutine.resume(co, 1)) == 2)
        assert(select(2, coroutine.resume(co, 3)) == 3)
        assert(coroutine.wrap(function(a) return dovecot.wait(a) end)(5) == 5)
        """,
        [],
    ),
    "waiting": (b"assert(dovecot.wait({ 1, 2, 3 }, 'x', ('y'):rep(100))[3] == 3)", []),
    "protected calls": (
        b"""
        local ok, text = pcall(error, { code = 5 })
        assert(not ok and (text.code == 5 or error(text, 0)))
        assert(pcall(function() return dovecot.wait(1) end))
        """,
        [],
    ),
    "events": (
        b"dovecot.event():set_name('n'):append_log_prefix('p: '):add_str('a', 'b'):inc_int('c', 5):log_info('said')",
        [b"p: said"],
    ),
    "passthrough events": (b"dovecot.event():passthrough_event():add_str('a', 'b'):log_info('said')", [b"said"]),
    "texts": (
        b"""
        assert(dovecot.tabunescape(dovecot.tabescape('a\\tb\\n')) == 'a\\tb\\n')
        assert(#dovecot.split_tabescaped('a\\tb\\tc') == 3)
        assert(dovecot.base64.decode(dovecot.base64.encode(('x'):rep(100))) == ('x'):rep(100))
        assert(dovecot.var_expand('%{literal("x")}') == 'x')
        """,
        [],
    ),
    "JSON": (
        b"""
        for _, name in ipairs({ 'json', 'cjson', 'dkjson', 'rapidjson' }) do
           local json = require(name)
           assert(json.decode(json.encode({ 'a\\n', { [name] = 5 } }))[2][name] == 5)
        end
        """,
        [],
    ),
    "arguments are blamed": (
        b"""
        local ok, text = pcall(dovecot.base64.encode, {})
        assert(not ok and (text:find('string expected', 1, true) or error(text, 0)))
        """,
        [],
    ),
    "dicts": (
        b"""
        local dict = dovecot.dict.open('users')
        local transaction = dict:transaction_begin()
        transaction:set('shared/a', 'b')
        transaction:commit()
        for key in dict:iterate('shared/', 0) do error(key) end
        """,
        [],
    ),
    "HTTP": (
        b"""
        local request = dovecot.http.client({}):request({ url = 'http://localhost/' })
        request:add_header('a', 'b')
        request:set_payload('text')
        assert(request:submit():status() == 200)
        """,
        [],
    ),
    "modules": (
        b"""
        local ltn12, mime, base64 = require('ltn12'), require('mime'), require('base64')
        assert(base64.decode(base64.encode('text')) == 'text')
        assert(mime.b64('text') == 'dGV4dA==')
        assert(require('socket.url').parse('http://a/b').host == 'a')
        assert(require('bit32').band(6, 3) == 2)
        """,
        [],
    ),
    "text functions": (b"assert(string.format('%s %5.1f', ('x'):rep(50), 5):upper():gsub('X', 'y') ~= '')", []),
}

#: What an operation is answered with; others come back with their own arguments.
ANSWERS: dict[bytes, tuple[Any, ...]] = {
    b"dict_commit": (True,),
    b"dict_iterate": (0, b"", []),
    b"http_submit": (200, b"OK", b"", b"text", b"", b"http://localhost/", 1, 0, 0, 0),
}


class _Client:
    """Stands for the worker's side of an HTTP client, which nothing here uses."""

    def close(self) -> None:
        """Let go of nothing."""


class Starving:
    """A state near its cap, and what it logs and commits."""

    def __init__(self, version: str, script: bytes) -> None:
        self.lines: list[bytes] = []
        self.commits: list[Any] = []
        self.clients = ClientRegistry(lambda _settings, _network: _Client())
        self.state = make_state(
            SCRIPT + script,
            version,
            CAP_BYTES,
            TimeSlice(),
            log=lambda _level, text: self.lines.append(text),
            is_dict_allowed=lambda _name: True,
            release_dict_iterator=lambda _number: None,
            **http_natives(self.clients, "2.4"),
        )

    def call(self, function: bytes, *args: Any) -> Step:
        """Call a function to its end."""
        return self.to_end(self.state.start(function, list(args)))

    def to_end(self, step: Step) -> Step:
        """Answer what a call waits for, until it ends."""
        while step[0] == StepKind.PARKED:
            _, coroutine, operation, *args = step
            if operation == b"dict_commit":
                self.commits.append(list(args[3].values()))
            step = self.state.resume(coroutine, ANSWERS.get(operation, tuple(args)))
        return step

    def call_again(self, function: bytes) -> Step:
        """Call a function with all the room there is."""
        step = self.call(function)
        for _ in range(LATE_FAILURE_COUNT):
            if _is_for_want_of_memory(step):
                self.lines.clear()
                step = self.call(function)
        return step

    def starve(self, room_bytes: int, function: bytes = b"starved") -> Step:
        """Call a function with so much room below the cap, give or take what its own arguments need."""
        self.call(b"tidy")
        ballast = b"x" * max(0, CAP_BYTES - self.state.memory_bytes() - room_bytes)
        step = self.call(function, {b"ballast": ballast})
        self.lines.clear()
        return step


@cache
def _least_room_bytes(version: str) -> int:
    """Room that an empty call needs. It is below 0, as a part of what Lua holds does not count."""
    starving = Starving(version, b"function use() end")
    rooms = range(-MOST_ROOM_BYTES, MOST_ROOM_BYTES, STEP_BYTES)
    first = bisect_left(rooms, StepKind.DONE, key=lambda room_bytes: -starving.starve(room_bytes)[0])
    return rooms[first]


def _rooms(version: str, step_bytes: int) -> Iterator[int]:
    least_bytes = _least_room_bytes(version)
    return iter(range(least_bytes - BELOW_LEAST_BYTES, least_bytes + MOST_ROOM_BYTES, step_bytes))


def _is_for_want_of_memory(step: Step) -> bool:
    """Did the call fail? Then for that reason only."""
    if step[0] == StepKind.DONE:
        return False
    assert step[0] == StepKind.FAILED
    assert b"not enough memory" in step[1]
    return True


def _with_less_and_more_room(version: str, step_bytes: int, has_failed_in: Callable[[int], bool]) -> None:
    """Try one room after the other, until it is enough several times in a row."""
    enough_count = failure_count = 0
    for room_bytes in _rooms(version, step_bytes):
        has_failed = has_failed_in(room_bytes)
        failure_count += has_failed
        enough_count = 0 if has_failed else enough_count + 1
        if enough_count == ENOUGH_COUNT:
            break
    assert failure_count > 0
    assert enough_count == ENOUGH_COUNT


def _has_failed_and_works_again(starving: Starving, room_bytes: int, lines: list[bytes]) -> bool:
    has_failed = _is_for_want_of_memory(starving.starve(room_bytes))
    assert starving.call_again(b"use") == (StepKind.DONE, 0), room_bytes
    assert lines == starving.lines, room_bytes
    return has_failed


def _using(version: str, body: bytes) -> Starving:
    return Starving(version, b"function use() " + body + b" end")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("feature", FEATURES)
def test_feature_works_again_after_memory_ended_anywhere_in_it(version: str, feature: str):
    body, lines = FEATURES[feature]
    starving = _using(version, body)
    _with_less_and_more_room(version, STEP_BYTES, lambda room: _has_failed_and_works_again(starving, room, lines))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("feature", FEATURES)
def test_feature_works_again_after_memory_ended_in_its_first_use(version: str, feature: str):
    body, lines = FEATURES[feature]
    _with_less_and_more_room(
        version,
        LOADING_STEP_BYTES,
        lambda room: _has_failed_and_works_again(_using(version, body), room, lines),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_event_that_outlives_the_call_holds_each_field_or_does_not(version: str):
    script = b"""
    function make() kept = dovecot.event() end
    function use() kept:add_str('a', '1'):add_int('b', 2) end
    function add() kept:add_str('c', '3'):add_str('a', '4'):log_info('said') end
    """
    starving = Starving(version, script)

    def has_failed(room_bytes: int) -> bool:
        starving.call_again(b"make")
        step = starving.starve(room_bytes)
        starving.call_again(b"add")
        assert starving.lines == [b"said"]
        return _is_for_want_of_memory(step)

    _with_less_and_more_room(version, STEP_BYTES, has_failed)


@pytest.mark.parametrize("version", VERSIONS)
def test_transaction_holds_each_change_or_does_not(version: str):
    script = b"""
    function use() transaction:set('shared/a', '1') end
    function again() transaction:set('shared/b', '2') transaction:commit() end
    function starved(given)
       transaction = dovecot.dict.open('users'):transaction_begin()
       local ok, text = pcall(use)
       given.ballast = nil
       collectgarbage()
       again()
       if not ok then error(text, 0) end
    end
    """
    starving = Starving(version, script)
    last = [b"set", b"shared/b", b"2"]

    def has_failed(room_bytes: int) -> bool:
        starving.commits.clear()
        step = starving.starve(room_bytes)
        for changes in starving.commits:
            assert changes in (last, [b"set", b"shared/a", b"1", *last]), room_bytes
        return _is_for_want_of_memory(step)

    _with_less_and_more_room(version, STEP_BYTES, has_failed)


@pytest.mark.parametrize("version", VERSIONS)
def test_call_that_waits_is_not_ended_by_one_that_finds_no_memory(version: str):
    script = b"""
    function use() end
    function wait()
       local transaction = dovecot.dict.open('users'):transaction_begin()
       transaction:set('shared/a', '1')
       dovecot.wait()
       transaction:commit()
    end
    """
    starving = Starving(version, script)

    def has_failed(room_bytes: int) -> bool:
        starving.commits.clear()
        starving.call_again(b"tidy")
        waiting = starving.state.start(b"wait", [])
        step = starving.starve(room_bytes)
        starving.call_again(b"tidy")
        assert starving.to_end(waiting) == (StepKind.DONE, 0)
        assert starving.commits == [[b"set", b"shared/a", b"1"]]
        return _is_for_want_of_memory(step)

    _with_less_and_more_room(version, STEP_BYTES, has_failed)


@pytest.mark.parametrize("version", VERSIONS)
def test_client_for_which_there_was_no_memory_is_closed(version: str):
    starving = _using(version, b"dovecot.http.client({})")

    def has_failed(room_bytes: int) -> bool:
        step = starving.starve(room_bytes)
        starving.call_again(b"tidy")
        assert len(starving.clients) <= 1
        return _is_for_want_of_memory(step)

    _with_less_and_more_room(version, STEP_BYTES, has_failed)


@pytest.mark.parametrize("version", VERSIONS)
def test_finaliser_that_is_left_does_not_run_when_there_was_no_memory_for_the_last_step(version: str):
    script = b"""
    local function loud() dovecot.i_info('loud') end
    kept, filling = {}, 0
    -- More of them than there is memory to put in order.
    for number = 1, 500 do
       kept[number] = newproxy and newproxy(true) or setmetatable({}, { __gc = loud })
       if newproxy then getmetatable(kept[number]).__gc = loud end
    end
    function fill(given) filling = given.ballast end
    """
    starving = Starving(version, script)
    room_bytes = _least_room_bytes(version) + BELOW_LEAST_BYTES
    ballast = b"x" * (CAP_BYTES - starving.state.memory_bytes() - room_bytes)
    assert starving.call(b"fill", {b"ballast": ballast}) == (StepKind.DONE, 0)
    starving.state.close()
    assert len(starving.lines) < 500
    starving.lines.clear()
    del starving.state
    assert [] == starving.lines
