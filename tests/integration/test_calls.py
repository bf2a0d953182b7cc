"""Calls through server, queue and workers: what a caller gets back."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from dispatcher.blocking import Dispatcher
from dispatcher.catalog import Script
from dispatcher.client import AsyncDispatcher, Call
from dispatcher.local_pool import LocalPool
from dispatcher.protocol.errors import ArgumentError, OversizeError, ScriptNotFoundError, ScriptUnreadableError
from dispatcher.protocol.outcome import LogLine, OutcomeKind
from dispatcher.protocol.settings import ScriptSettings
from tests.waiting import wait_until

SCRIPT = Script.from_stream(
    "calls",
    b"""
    function echo(...) return ... end
    function count(...) return select("#", ...) end
    function fails() error("no luck") end
    function log() dovecot.i_warning("careful") dovecot.i_info("fine") return 1 end
    function chatty() for i = 1, 1000 do dovecot.i_debug("line " .. i) end end
    function a_function() return print end
    function loop_table() local t = {} t.t = t return t end
    function yields() coroutine.yield(1) end
    function exits() os.exit(1) end
    function number_of_calls() calls = (calls or 0) + 1 return calls end
    """,
)

VALUES = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**63 - 1,
    1.5,
    b"",
    b"\x00\xff bytes",
    [1, 2, 3],
    {b"k": [b"v", {b"n": 1}]},
    {1: b"one", b"two": 2},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_value_comes_back_unchanged(dispatcher, value):
    assert [value] == dispatcher.call(SCRIPT, "echo", value).values


def test_text_arrives_as_utf8_bytes(dispatcher):
    assert ["grüße".encode()] == dispatcher.call(SCRIPT, "echo", "grüße").values


def test_tuple_arrives_as_a_table_from_one(dispatcher):
    assert [[b"a", b"b"]] == dispatcher.call(SCRIPT, "echo", (b"a", b"b")).values


def test_trailing_nils_are_arguments_and_results(dispatcher):
    assert [3] == dispatcher.call(SCRIPT, "count", 1, None, None).values
    assert [1, None, None] == dispatcher.call(SCRIPT, "echo", 1, None, None).values


def test_empty_table_comes_back_as_an_empty_dict(dispatcher):
    assert [{}] == dispatcher.call(SCRIPT, "echo", []).values


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({1, 2}, "args[0] is a set"),
        ([object()], "args[0][0] is a object"),
        (2**63, "args[0] is outside the 64-bit integers"),
        ({1.5: 1}, "args[0] has a key of type float"),
        ({True: 1}, "args[0] has a key of type bool"),
    ],
    ids=["set", "object", "integer", "key that is a float", "key that is a boolean"],
)
def test_argument_that_cannot_travel_is_named_by_its_place(dispatcher, value, place):
    with pytest.raises(ArgumentError, match="args") as caught:
        dispatcher.call(SCRIPT, "echo", value)
    assert place in str(caught.value)


def test_argument_that_contains_itself_is_refused(dispatcher):
    loop = []
    loop.append(loop)
    with pytest.raises(ArgumentError, match="nests deeper than 64 levels"):
        dispatcher.call(SCRIPT, "echo", loop)


def test_oversize_invocation_is_refused_with_both_sizes(dispatcher):
    with pytest.raises(OversizeError, match=r"invocation has \d{7} bytes, the limit is 1048576 bytes"):
        dispatcher.call(SCRIPT, "echo", b"x" * 2**20)


def test_unknown_function_is_named_in_dovecots_words(dispatcher):
    outcome = dispatcher.call(SCRIPT, "nosuch")
    assert (OutcomeKind.NO_SUCH_FUNCTION, "'nosuch' is not a function") == (outcome.kind, outcome.error)


def test_unknown_script_lists_what_there_is(dispatcher):
    with pytest.raises(ScriptNotFoundError, match="there is no script 'nosuch'; known scripts: none"):
        dispatcher.call("nosuch", "echo")


def test_missing_script_file_is_told_in_dovecots_words(tmp_path):
    with pytest.raises(ScriptUnreadableError, match=r"access\(.*gone.lua\) failed: No such file or directory"):
        Script.from_file(tmp_path / "gone.lua")


def test_script_error_has_message_and_traceback(dispatcher):
    outcome = dispatcher.call(SCRIPT, "fails")
    assert OutcomeKind.SCRIPT_ERROR is outcome.kind
    assert outcome.error.startswith('lua_pcall(fails, 0, -1) failed: [string "calls"]:4: no luck\nstack traceback:\n')


def test_syntax_error_names_file_and_line(dispatcher, tmp_path, monkeypatch):
    # A short name: Lua itself shortens paths over 60 characters in its messages.
    monkeypatch.chdir(tmp_path)
    Path("broken.lua").write_text("local a = 1\nfunction (\n")
    outcome = dispatcher.call(Script.from_file("broken.lua"), "f")
    assert OutcomeKind.LOAD_ERROR is outcome.kind
    assert "lua_load(broken.lua) failed: broken.lua:2: <name> expected near '('" == outcome.error


def test_error_in_the_main_chunk_is_a_load_error(dispatcher):
    outcome = dispatcher.call(Script.from_stream("main", b"error('at once')"), "f")
    assert OutcomeKind.LOAD_ERROR is outcome.kind
    assert outcome.error.startswith('lua_pcall(main) failed: [string "main"]:1: at once\nstack traceback:')


@pytest.mark.parametrize(
    ("function", "text"),
    [
        ("a_function", "'a_function': return value 1 is a function, which cannot leave Lua"),
        ("loop_table", "nests deeper than 64 levels or contains itself"),
        ("yields", "attempt to yield from outside a coroutine"),
        ("exits", "os.exit() would end the worker"),
    ],
)
def test_what_cannot_leave_lua_is_a_script_error(dispatcher, function, text):
    outcome = dispatcher.call(SCRIPT, function)
    assert OutcomeKind.SCRIPT_ERROR is outcome.kind
    assert text in outcome.error


def test_log_lines_travel_back_in_order(dispatcher):
    assert [LogLine("warning", "careful"), LogLine("info", "fine")] == dispatcher.call(SCRIPT, "log").logs


def test_log_lines_are_capped_and_say_so(dispatcher):
    logs = dispatcher.call(SCRIPT, "chatty").logs
    assert 101 == len(logs)
    assert "more log lines were left out" in logs[-1].text


def test_byte_code_is_refused(dispatcher):
    outcome = dispatcher.call(Script.from_stream("code", b"\x1bLua binary"), "f")
    assert OutcomeKind.LOAD_ERROR is outcome.kind
    assert "binary chunk" in outcome.error


@pytest.mark.parametrize("lua", ["5.1", "5.2", "5.3", "5.4", "5.5", "luajit"])
def test_every_lua_version_is_to_be_had(dispatcher, lua):
    script = Script.from_stream("v", b"function v() return _VERSION, jit ~= nil end", ScriptSettings(lua=lua))
    expected = {"luajit": [b"Lua 5.1", True]}.get(lua, [b"Lua " + lua.encode(), False])
    assert expected == dispatcher.call(script, "v").values


def test_script_init_gets_the_settings(dispatcher):
    source = b"function script_init(s) greeting = s.greeting end function f() return greeting end"
    script = Script.from_stream("init", source, ScriptSettings(settings={"greeting": "hello"}))
    assert [b"hello"] == dispatcher.call(script, "f").values


def test_outcome_tells_queue_and_run_time(dispatcher):
    outcome = dispatcher.call(SCRIPT, "echo", 1)
    assert 0 < outcome.queue_ms < 5000
    assert 0 <= outcome.run_ms < 5000


def test_changed_file_is_used_by_later_calls(settings, pool, tmp_path):  # noqa: ARG001 - the pool must run
    path = tmp_path / "changing.lua"
    path.write_text("function version() return 1 end")
    known = {"changing": ScriptSettings(file=str(path))}
    with Dispatcher(replace(settings, scripts=known)) as dispatcher:
        assert [1] == dispatcher.call("changing", "version").values
        path.write_text("function version() return 2 end -- changed")
        wait_until(lambda: [2] == dispatcher.call("changing", "version").values)


def calls(count):
    return [Call(SCRIPT, "echo", (number,), tag=number) for number in range(count)]


def test_map_gives_outcomes_in_order(dispatcher):
    pairs = list(dispatcher.map(calls(3000), in_flight=100))
    assert [(n, [n]) for n in range(3000)] == [(call.tag, outcome.values) for call, outcome in pairs]


def test_unordered_map_gives_every_outcome_once(dispatcher):
    pairs = list(dispatcher.map(calls(3000), ordered=False, in_flight=100))
    assert list(range(3000)) == sorted(outcome.values[0] for _, outcome in pairs)


def test_map_reads_no_further_than_it_may(dispatcher):
    taken = []

    def source():
        for call in calls(1000):
            taken.append(call)
            yield call

    outcomes = dispatcher.map(source(), in_flight=10)
    next(outcomes)
    # MAP_BATCH are fetched at a time, ten more are in flight.
    assert len(taken) <= 256 + 10


def test_map_of_a_stream_gives_outcomes_while_the_stream_pauses(settings, pool):  # noqa: ARG001 - the pool must run
    async def scenario():
        go_on = asyncio.Event()

        async def source():
            for call in calls(3):
                yield call
            await go_on.wait()
            yield Call(SCRIPT, "echo", (99,))

        values = []
        async with AsyncDispatcher(settings) as dispatcher:
            async for _, outcome in dispatcher.map(source(), in_flight=10):
                values.append(outcome.values[0])
                if len(values) == 3:
                    go_on.set()
        return values

    assert [0, 1, 2, 99] == asyncio.run(asyncio.wait_for(scenario(), 20))


def test_two_dispatchers_get_only_their_own_outcomes(settings, pool):  # noqa: ARG001 - the pool must run
    async def ask(dispatcher, offset):
        outcomes = await asyncio.gather(*(dispatcher.call(SCRIPT, "echo", offset + n) for n in range(500)))
        return [outcome.values[0] for outcome in outcomes]

    async def scenario():
        async with AsyncDispatcher(settings) as one, AsyncDispatcher(settings) as other:
            return await asyncio.gather(ask(one, 0), ask(other, 10_000))

    assert [list(range(500)), list(range(10_000, 10_500))] == asyncio.run(scenario())


def test_script_does_not_see_the_key_in_its_environment(own, monkeypatch):
    monkeypatch.setenv("LUALOFT_KEY", own.key.reveal())
    monkeypatch.setenv("TEST_VISIBLE", "yes")
    script = Script.from_stream("env", b"function f(name) return os.getenv(name) end")
    with LocalPool(own), Dispatcher(own) as dispatcher:
        assert [b"yes"] == dispatcher.call(script, "f", "TEST_VISIBLE").values
        assert [None] == dispatcher.call(script, "f", "LUALOFT_KEY").values
