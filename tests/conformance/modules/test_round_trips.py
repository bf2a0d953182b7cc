"""Random values through the JSON and base64 modules, against Python's own."""

from __future__ import annotations

import base64
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.modules.harness import make_state, run

SCRIPT = b"""
local modules = {}
for _, name in ipairs({ "json", "cjson", "dkjson", "rapidjson" }) do modules[name] = require(name) end
modules.cjson = modules.cjson.new()
modules.cjson.decode_array_with_array_mt(true)
modules.cjson.encode_number_precision(16)
local b, m = require("base64"), require("mime")
function again(name, text) return modules[name].encode((modules[name].decode(text))) end
function base64(bytes) local text = b.encode(bytes) return text, b.decode(text), (m.unb64((m.b64(bytes)))) end
function qp(bytes, cut)
   local first, rest = m.qp(bytes:sub(1, cut), bytes:sub(cut + 1))
   local text = first .. (m.qp(rest) or "")
   local plain, left = m.unqp(text, "")
   return plain .. left
end
"""

#: json and dkjson write an empty table as an array, and null is no member: those values cannot come back.
PLAIN = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e15, 1e15), st.text(max_size=20))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, min_size=1, max_size=5) | st.dictionaries(st.text(max_size=8), inner, min_size=1),
    max_leaves=20,
)


def _is_same(left, right):
    """Equal, numbers to 13 digits: lua-cjson and Lua's tostring write 14."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same(left[key], right[key]) for key in left)
    if isinstance(left, (int, float)) and not isinstance(left, bool):
        return math.isclose(left, right, rel_tol=1e-13)
    return left == right


@pytest.fixture(scope="module", params=["5.1", "5.4", "luajit"])
def state(request):
    return make_state(SCRIPT, request.param)


@pytest.mark.parametrize("name", ["json", "cjson", "dkjson", "rapidjson"])
@settings(max_examples=60, deadline=None)
@given(value=VALUES, is_pretty=st.booleans(), is_ascii=st.booleans())
def test_json_comes_back(state, name, value, is_pretty, is_ascii):
    text = json.dumps([value], indent=2 if is_pretty else None, ensure_ascii=is_ascii)
    [again] = run(state, b"again", [name.encode(), text.encode("utf-8", "surrogatepass")], {})
    assert _is_same(json.loads(text), json.loads(again.decode("utf-8", "surrogatepass")))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_base64_agrees_with_python(state, data):
    text, decoded, through_mime = run(state, b"base64", [data], {})
    assert (base64.b64encode(data), data, data or None) == (text, decoded, through_mime)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80), cut=st.integers(0, 80))
def test_quoted_printable_comes_back_wherever_it_is_cut(state, data, cut):
    [plain] = run(state, b"qp", [data, cut], {})
    assert data == plain
