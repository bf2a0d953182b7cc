"""What results look like outside Lua."""

from __future__ import annotations

import pytest

from dispatcher.protocol.invocation import MAX_DEPTH
from tests.unit.lua.states import ALL_LUAS, call, make_state, results
from workers.lua.marshal import ARGUMENT_LIMIT, MarshalError


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (b"nil", None),
        (b"true", True),
        (b"5", 5),
        (b"1.5", 1.5),
        (b"'x\\0y'", b"x\0y"),
        (b"{}", {}),
        (b"{ 1, 2, 3 }", [1, 2, 3]),
        (b"{ a = 1, b = { 2 } }", {b"a": 1, b"b": [2]}),
        (b"{ [2] = 'x' }", {2: b"x"}),
        (b"{ [1] = 'x', y = 'z' }", {1: b"x", b"y": b"z"}),
        (b"{ [true] = 'x' }", {True: b"x"}),
        (b"setmetatable({ 1 }, { __index = error, __pairs = error, __len = error })", [1]),
    ],
)
def test_a_result_is(version: str, expression: bytes, expected):
    got = results(b"function f() return %s end" % expression, version)
    assert [expected] == got
    assert type(expected) is type(got[0])


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (b"print", "return value 1 is a function, which cannot leave Lua"),
        (b"io.stdout", "return value 1 is a userdata, which cannot leave Lua"),
        (b"{ a = { print } }", "return value 1[a][1] is a function, which cannot leave Lua"),
        (b"{ [{}] = 1 }", "return value 1 has a table as a key, which cannot leave Lua"),
        (
            b"{ [1] = 1, [true] = 2 }",
            "return value 1 has the keys true and 1 or false and 0, which are one outside Lua",
        ),
        (b"5, print", "return value 2 is a function, which cannot leave Lua"),
    ],
)
def test_what_has_no_form_outside_lua_is_named(expression: bytes, message: str):
    with pytest.raises(MarshalError) as caught:
        results(b"function f() return %s end" % expression)
    assert message == str(caught.value)


def test_a_table_in_itself_is_too_deep():
    with pytest.raises(MarshalError, match="nests deeper than"):
        results(b"function f() local t = {} t.t = t return t end")


@pytest.mark.parametrize(("depth", "is_allowed"), [(0, True), (1, True), (MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_tables_nest_to_the_limit(depth: int, is_allowed):
    script = b"function f() local t = 1 for _ = 1, %d do t = { t } end return t end" % depth
    if is_allowed:
        assert results(script)
    else:
        with pytest.raises(MarshalError):
            results(script)


@pytest.mark.parametrize(("size", "is_allowed"), [(0, True), (1, True), (92, True), (93, False)])
def test_results_are_capped_by_their_size(size: int, is_allowed):
    state = make_state(b"function f(n) return ('x'):rep(n) end")
    step = call(state, size)
    if is_allowed:
        assert [b"x" * size] == state.values_of(step, 100)
    else:
        with pytest.raises(MarshalError):
            state.values_of(step, 100)


@pytest.mark.parametrize(("count", "is_refused"), [(16, False), (17, True)])
def test_a_great_many_numbers_are_counted_too(count, is_refused):
    state = make_state(b"function f(count) return table.unpack({}, 1, count) end")
    step = call(state, count)
    if is_refused:
        with pytest.raises(MarshalError, match="results are larger than 100 bytes"):
            state.values_of(step, 100)
    else:
        assert [None] * count == state.values_of(step, 100)


@pytest.mark.parametrize("surplus", [0, 1])
def test_an_operation_is_handed_so_many_values_at_most(surplus: int):
    # One is the table itself.
    count = ARGUMENT_LIMIT.total_bytes // ARGUMENT_LIMIT.value_bytes - 1 + surplus
    state = make_state(b"function f(n) local t = {} for i = 1, n do t[i] = true end dovecot.wait(t) end")
    step = state.start(b"f", [count])
    if surplus:
        with pytest.raises(MarshalError, match="arguments of an operation are larger than 33554432 bytes"):
            state.arguments_of(step)
    else:
        assert [[True] * count] == state.arguments_of(step)
