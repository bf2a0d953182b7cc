import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.rejection import MAX_ID_CHARS, Rejection, decode_rejection, encode_rejection, shown_id


def test_entry_comes_back_as_it_was():
    rejection = Rejection("abc-1", "the message is too short to be a sealed one", "worker", 12.5, 7)
    assert rejection == decode_rejection(encode_rejection(rejection))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"job_id": 1}', b"[" * 5000], ids=lambda data: repr(data[:9])
)
def test_entry_of_somebody_else_is_none(data):
    assert decode_rejection(data) is None


@given(st.binary() | st.text(st.characters(exclude_categories=["Cs"])))
def test_shown_id_is_short_and_printable(raw_id):
    shown = shown_id(raw_id)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= MAX_ID_CHARS * len("\\U0001f600")


def test_long_texts_of_an_entry_are_cut():
    found = decode_rejection(encode_rejection(Rejection("x" * 1000, "y" * 1000, "w", 0.0)))
    assert "x" * 80 == found.job_id
    assert "y" * 400 == found.reason


def test_id_that_was_shown_once_is_shown_the_same_again():
    assert r"a\n\xe4" == shown_id("a\nä") == shown_id(shown_id("a\nä"))
