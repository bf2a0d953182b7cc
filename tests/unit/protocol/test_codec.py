import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.codec import (
    decode_chunk,
    decode_follower,
    decode_outcomes,
    decode_package,
    encode_chunk,
    encode_follower,
    encode_invocation,
    encode_outcomes,
    encode_package,
)
from dispatcher.protocol.errors import CodecError, OversizeError
from dispatcher.protocol.flight import Follower
from dispatcher.protocol.invocation import INT_MAX, INT_MIN, SCHEMA_VERSION, Invocation, ScriptPackage
from dispatcher.protocol.outcome import LogLine, Outcome, OutcomeKind

SCALARS = st.none() | st.booleans() | st.integers(INT_MIN, INT_MAX) | st.floats(allow_nan=False) | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.binary() | st.integers(INT_MIN, INT_MAX), inner),
    max_leaves=20,
)
NO_LIMIT = 2**31


def invocation(args, number=1):
    return Invocation(number, b"p" * 32, "f", args, 2.0, 1.0, is_idempotent=True)


@given(st.lists(VALUES), st.lists(VALUES))
def test_chunk_round_trips(one, other):
    sent = [invocation(one), invocation(other, 2)]
    chunk = decode_chunk(encode_chunk("reply", [encode_invocation(item, NO_LIMIT) for item in sent], attempt=2))
    assert ("reply", 2, sent) == (chunk.reply_key, chunk.attempt, chunk.invocations)


@given(st.lists(VALUES), st.sampled_from(OutcomeKind), st.text())
def test_outcomes_round_trip(values, kind, text):
    outcome = Outcome(7, kind, values, text, [LogLine("info", text)], 1.5, 2.5)
    assert [outcome] == decode_outcomes(encode_outcomes([outcome]))


@given(st.binary().filter(lambda data: data[:1] not in (b"\x92", b"\x94")))
def test_bytes_that_are_no_message_are_refused(data):
    for decode in (decode_chunk, decode_outcomes):
        with pytest.raises(CodecError):
            decode(data)


@given(st.binary())
def test_any_bytes_in_a_message_are_decoded_or_refused(data):
    for head, decode in (
        (b"\x94\x01", decode_chunk),
        (b"\x92\x01", decode_outcomes),
        (b"\x93\x01", decode_follower),
    ):
        with contextlib.suppress(CodecError):
            decode(head + data)


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 2**63 - 1))
def test_request_for_an_outcome_round_trips(dispatcher_id, number):
    expected = Follower(SCHEMA_VERSION, dispatcher_id, number)
    assert expected == decode_follower(encode_follower(dispatcher_id, number))


def test_package_round_trips_under_its_id():
    package = ScriptPackage(1, "auth", "file", b"\x00\xff", "2.3", "luajit", {"k": "v"}, 5)
    package_id, data = encode_package(package)
    assert package == decode_package(data, package_id)


def test_package_under_another_id_is_refused():
    _, data = encode_package(ScriptPackage(1, "auth", "file", b"", "2.4", "5.4", {}, 0))
    with pytest.raises(CodecError, match="does not match its id"):
        decode_package(data, b"x" * 32)


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_invocation_is_capped_at_its_encoded_size(spare, fits):
    size = len(encode_invocation(invocation([b"x" * 100]), NO_LIMIT))
    if fits:
        assert encode_invocation(invocation([b"x" * 100]), size + spare)
    else:
        with pytest.raises(OversizeError):
            encode_invocation(invocation([b"x" * 100]), size + spare)


def test_message_of_another_version_says_so():
    data = msgspec.msgpack.encode([2, "a shape of the future"])
    with pytest.raises(CodecError, match="chunk has schema version 2, this side speaks 1: upgrade both sides"):
        decode_chunk(data)


def test_message_of_another_shape_says_so():
    with pytest.raises(CodecError, match="outcome batch does not have the shape of schema version 1"):
        decode_outcomes(msgspec.msgpack.encode([1, "no list"]))


def test_one_field_more_is_refused():
    data = msgspec.msgpack.encode([1, "reply", 1, [], "more"])
    with pytest.raises(CodecError, match="does not have the shape"):
        decode_chunk(data)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(kind, kind.value in {"deadline_exceeded", "worker_lost", "queue_full", "unavailable"}) for kind in OutcomeKind],
)
def test_outcome_says_whether_to_try_again(kind, expected):
    assert expected is Outcome(1, kind).is_retryable


def test_repr_of_an_outcome_shows_no_value():
    assert "Outcome(1, ok, 1 values)" == repr(Outcome(1, OutcomeKind.OK, [b"s3cret"]))
