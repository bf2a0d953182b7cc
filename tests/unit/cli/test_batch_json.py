import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.batch_json import (
    JsonError,
    decode_call,
    decode_value,
    encode_json,
    from_json,
    outcome_line,
    rejected_line,
    to_json,
)
from dispatcher.protocol.outcome import LogLine, Outcome, OutcomeKind

SECRET = "hunter2"
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.text().filter(lambda key: key != "base64").map(str.encode)
VALUES = st.recursive(SCALARS | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)


def as_bytes(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [as_bytes(item) for item in value]
    return {as_bytes(key): as_bytes(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(VALUES)
def test_values_come_back_from_json_as_they_were(value):
    assert value == as_bytes(decode_value(encode_json(to_json(value))))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\xff", {"base64": "/w=="}),
        ({1.5: 2, True: 3, -7: 4}, {"1.5": 2, "true": 3, "-7": 4}),
        ({b"\xff": 1}, {"\\xff": 1}),
        ([[b"a"], {}], [["a"], {}]),
    ],
    ids=["bytes", "keys that are no text", "key that is not UTF-8", "nested"],
)
def test_json_form_of_a_value(value, expected):
    assert expected == to_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_without_a_json_form_is_null(value):
    assert b"[null]" == encode_json([to_json(value)])


@pytest.mark.parametrize("value", [{"base64": "/w==", "x": 1}, {"base64": 1}, {"Base64": "/w=="}])
def test_only_the_exact_form_stands_for_bytes(value):
    assert value == from_json(value, "value")


@pytest.mark.parametrize("text", ["?", "/w=", "/w==\n", "ü"])
def test_bad_base64_is_refused_with_its_place(text):
    with pytest.raises(JsonError, match=r"^args\[1\]\['x'\] is not base64$"):
        from_json([0, {"x": {"base64": text}}], "args")


def test_id_of_a_call_is_optional():
    call = decode_call(b'{"args": [1]}')
    assert (None, [1]) == (call.id, call.args)


@pytest.mark.parametrize("call_id", ["text", 5, 1.5, None])
def test_id_of_a_call_comes_back_as_it_was(call_id):
    call = decode_call(encode_json({"id": call_id, "args": []}))
    line = outcome_line(1, call.id, Outcome(1, OutcomeKind.OK))
    assert call_id == json.loads(line)["id"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b"[]",
        b'{"args": 1}',
        b'{"args": ["hunter2"',
        b'{"args": [], "x": "hunter2"}',
        b'{"args": ["hunter2\xff"]}',
    ],
)
def test_what_is_no_call_is_refused_without_quoting_it(text):
    with pytest.raises(JsonError) as caught:
        decode_call(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_outcome_line_leaves_out_what_does_not_apply():
    line = outcome_line(3, "a", Outcome(9, OutcomeKind.OK, [1.0, b"x"], queue_ms=1.00049, run_ms=2.0))
    assert b'{"line":3,"id":"a","outcome":"ok","values":[1.0,"x"],"queue_ms":1.0,"run_ms":2.0}' == line


def test_outcome_line_of_a_failure_has_error_and_logs():
    logs = [LogLine("info", "hello")]
    found = json.loads(outcome_line(3, None, Outcome(9, OutcomeKind.SCRIPT_ERROR, [], "bad", logs)))
    assert ("script_error", "bad", [{"level": "info", "text": "hello"}]) == (
        found["outcome"],
        found["error"],
        found["logs"],
    )


def test_rejected_line_has_four_fields():
    assert b'{"line":2,"id":null,"outcome":"rejected","error":"bad"}' == rejected_line(2, None, "bad")
