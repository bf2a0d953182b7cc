"""AuthResult: the way there and back, and what it does not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.auth_result import AuthResult, AuthVerdict
from dispatcher.protocol.codec import decode_outcomes, encode_outcomes
from dispatcher.protocol.errors import CodecError
from dispatcher.protocol.outcome import Outcome, OutcomeKind

FIELDS = st.dictionaries(st.binary(max_size=8), st.binary(max_size=8), max_size=4)


def travelled(result):
    """The value as it arrives in an outcome."""
    (outcome,) = decode_outcomes(encode_outcomes([Outcome(1, OutcomeKind.OK, [result.to_value()])]))
    return outcome.values[0]


@given(
    st.builds(
        AuthResult,
        verdict=st.sampled_from(AuthVerdict),
        user=st.binary(max_size=8),
        fields=FIELDS,
        userdb_fields=FIELDS,
        reason=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        password=st.binary(max_size=8),
        hidden_fields=FIELDS,
        master_user=st.binary(max_size=8),
        users=st.lists(st.binary(max_size=8), min_size=1, max_size=4).map(tuple),
        next_user=st.integers(0, 9),
    )
)
def test_result_travels_unchanged(result):
    assert result == AuthResult.from_value(travelled(result))


def test_trivial_result_is_its_verdict():
    assert {"verdict": "ok"} == travelled(AuthResult(AuthVerdict.OK))


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        pytest.param("g\xf6tt", "g\xf6tt", id="text"),
        pytest.param(b"\xff".decode("utf-8", "surrogateescape"), "\\xff", id="bytes that are no UTF-8"),
    ],
)
def test_reason_travels_as_text(reason, shown):
    assert shown == AuthResult.from_value(travelled(AuthResult(AuthVerdict.NEXT, reason=reason))).reason


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="no verdict"),
        pytest.param({b"verdict": b"ok"}, id="a table of a script"),
        pytest.param({"verdict": "perhaps"}, id="an unknown verdict"),
        pytest.param({"verdict": "ok", "fields": 5}, id="fields that are none"),
        pytest.param({"verdict": "ok", "shoe_size": 5}, id="a member that nobody knows"),
    ],
)
def test_value_that_is_no_result_is_refused(value):
    with pytest.raises(CodecError):
        AuthResult.from_value(value)


def test_repr_shows_no_field():
    result = AuthResult(AuthVerdict.OK, b"jane", {b"token": b"tops3cret"}, password=b"{PLAIN}tops3cret")
    assert "tops3cret" not in repr(result)
