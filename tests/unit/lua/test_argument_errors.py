"""Class B errors read as liblua's own: the same call of a function of Lua's and of ours differs in the name only."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, results

#: How a function may be called; CALLEE takes one string.
SITUATIONS = {
    "field": b"local _, m = pcall(function() LIBRARY.CALLEE({}) end) return m",
    "local": b"local short = LIBRARY.CALLEE local _, m = pcall(function() local mine = short mine({}) end) return m",
    "upvalue": b"local short = LIBRARY.CALLEE local _, m = pcall(function() short({}) end) return m",
    "method": b"local o = { CALLEE = LIBRARY.CALLEE } local _, m = pcall(function() o:CALLEE() end) return m",
    "method with a bad argument": b"local o = { CALLEE = LIBRARY.CALLEE }"
    b" local _, m = pcall(function() o.CALLEE(o) end) return m",
    "nil argument": b"local _, m = pcall(function() LIBRARY.CALLEE(nil) end) return m",
    "later line": b"local _, m = pcall(function()\n\n LIBRARY.CALLEE(true)\n end) return m",
    "in an expression": b"local _, m = pcall(function() local x = 1 + #LIBRARY.CALLEE(print) end) return m",
    "in a coroutine": b"local _, m = coroutine.resume(coroutine.create(function() LIBRARY.CALLEE({}) end)) return m",
    "in a callback of C": b"local _, m = pcall(function()"
    b" string.gsub('x', 'x', function() LIBRARY.CALLEE({}) end) end) return m",
}

#: Called from C there is no name; what stands there instead differs between a library and a metatable.
FROM_C = {
    "pcall": b"return (select(2, pcall(LIBRARY.CALLEE, {})))",
    "gsub": b"return (select(2, pcall(string.gsub, 'x', '()', LIBRARY.CALLEE)))",
}


def _message(situation: bytes, library: bytes, callee: bytes, version: str) -> bytes:
    script = situation.replace(b"LIBRARY", library).replace(b"CALLEE", callee)
    return results(b"function f() %s end" % script, version)[0]


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_it_reads_as_luas_own(version: str, situation: bytes):
    expected = _message(situation, b"string", b"upper", version).replace(b"'upper'", b"'tabescape'")
    assert expected == _message(situation, b"dovecot", b"tabescape", version)


@pytest.mark.parametrize("version", ALL_LUAS)
def test_called_from_c_it_has_neither_name_nor_position(version: str):
    expected = b"bad argument #1 to '?' (string expected, got table)"
    assert expected == _message(FROM_C["pcall"], b"dovecot", b"tabescape", version)


@pytest.mark.parametrize("version", ["5.1", "5.2", "5.3", "5.4", "5.5"])
def test_in_a_tail_call_the_name_stays_and_the_position_is_left_out(version: str):
    script = b"""
    function f()
       local function tail() return dovecot.tabescape({}) end
       return (select(2, pcall(tail)))
    end"""
    assert [b"bad argument #1 to 'tabescape' (string expected, got table)"] == results(script, version)


@pytest.mark.parametrize("version", ["5.3", "5.4", "5.5"])
@pytest.mark.parametrize(
    "value",
    (
        b"5 5.0 '5' '5.0' '\t0x10\t' -1 1.5 '1.5' 'x' '' 2^53 2^63 -(2^63) 0/0 1/0 '1e2' 'nan' nil true {} print"
        b" math.maxinteger math.mininteger"
    ).split(b" "),
)
def test_integers_are_converted_as_lua_converts_them(version: str, value: bytes):
    script = b"""
    function f()
       local value = %s
       local is_converted, expected = pcall(function() return (math.ult(value, 0)) end)
       local _, got = pcall(function() return (dovecot.set_flag(value, 0)) end)
       if is_converted then
          return "integer", math.type(got)
       end
       return expected:match(": (.*)"), (got:match(": (.*)"):gsub("set_flag", "ult"))
    end"""
    expected, got = results(script % value, version)
    assert expected == got
