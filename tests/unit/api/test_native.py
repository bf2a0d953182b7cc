"""The natives behind `dovecot`: properties that no table of examples shows."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lua.states import make_state
from workers.api.native import (
    base64_decode,
    base64_encode,
    clear_flag,
    has_flag,
    make_var_expand,
    net_ip_family,
    set_flag,
)
from workers.lua.runtime import StepKind

STATE = make_state(b"""
function escape(s) return (dovecot.tabescape(s)) end
function round_trip(s) return (dovecot.tabunescape(dovecot.tabescape(s))) end
function split(s) return dovecot.split_tabescaped(s) end
function join(t) for i = 1, #t do t[i] = dovecot.tabescape(t[i]) end return table.concat(t, "\\t") end""")
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def _call(function, *args):
    step = STATE.start(function, list(args))
    assert step[0] == StepKind.DONE, step
    return STATE.values_of(step, 1 << 20)[0]


@given(st.binary())
def test_tab_escaping_comes_back_up_to_the_first_nul(text):
    assert text.partition(b"\0")[0] == _call(b"round_trip", text)


@given(st.binary())
def test_escaped_text_holds_no_separator(text):
    assert not set(_call(b"escape", text)) & set(b"\t\r\n\0")


@given(st.lists(st.binary().map(lambda part: part.replace(b"\0", b"")), min_size=1))
def test_joined_parts_split_into_the_same(parts):
    joined = _call(b"join", parts)
    # An empty text is no part, not one empty part.
    assert (parts if joined else {}) == _call(b"split", joined)


@given(st.binary())
def test_any_text_splits_and_unescapes(text):
    assert isinstance(_call(b"split", text), list | dict)


@given(st.binary())
def test_base64_comes_back(data):
    assert base64.b64encode(data) == base64_encode(data)
    assert data == base64_decode(base64_encode(data))


@given(st.binary(), st.sampled_from([b" ", b"\n", b"\r\n", b"\t"]))
def test_white_space_and_padding_do_not_matter_to_base64(data, space):
    encoded = base64_encode(data).rstrip(b"=")
    assert data == base64_decode(space.join(encoded[i : i + 1] for i in range(len(encoded))))


@given(st.binary())
def test_base64_decodes_anything(text):
    assert isinstance(base64_decode(text), bytes)


@given(st.binary())
def test_any_text_has_an_ip_family(text):
    assert net_ip_family(text.replace(b"\0", b"")) in {0, 4, 6}


@given(INTEGERS, INTEGERS)
def test_flags_without_operators_are_the_operators(value, flag):
    operators = make_operators()
    assert has_flag(value, flag) == operators(b"has", value, flag)
    assert set_flag(value, flag) == operators(b"set", value, flag)
    assert clear_flag(value, flag) == operators(b"clear", value, flag)


def make_operators():
    state = make_state(
        b"function has(v, f) return v & f == f end function set(v, f) return v | f end"
        b" function clear(v, f) return v & ~f end"
    )
    return lambda name, value, flag: state.start(name, [value, flag])[2]


@given(st.binary())
def test_var_expand_answers_anything(template):
    is_expanded, text = make_var_expand({})(template)
    assert isinstance(is_expanded, bool)
    assert isinstance(text, bytes)


def test_var_expand_sees_the_environment_it_is_given():
    assert (True, b"x") == make_var_expand({b"NAME": b"x"})(b"%{env:NAME}")


@pytest.mark.parametrize("text", [b"1.2.3.4", b"::1"])
def test_an_address_may_be_asked_for_often(text):
    assert {net_ip_family(text) for _ in range(3)} == {4 if b"." in text else 6}
