"""Reading heads from bytes in any pieces."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from workers.http.failure import BAD_RESPONSE, HttpFailure
from workers.http.response_head import HeadLimits, HeadReader

NO_LIMITS = HeadLimits(0, 0, 0)
HEAD = b"HTTP/1.1 200 All fine\r\nA: one\r\n two\r\n\tthree\r\nEmpty:\r\nB:x\n\r\nrest"


def read(pieces, limits=NO_LIMITS):
    """What a reader makes of pieces: (status, reason, fields, rest), a complaint, or None."""
    reader = HeadReader(limits)
    for place, piece in enumerate(pieces):
        try:
            complete = reader.feed(piece)
        except HttpFailure as failure:
            return failure.text if failure.status == BAD_RESPONSE else failure
        if complete:
            head, rest = complete
            return head.status, head.reason, head.fields, rest + b"".join(pieces[place + 1 :])
    return None


def cut(text, places):
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def test_head_is_read():
    fields = [(b"A", b"one two three"), (b"Empty", b""), (b"B", b"x")]
    assert (200, b"All fine", fields, b"rest") == read([HEAD])


@given(st.lists(st.integers(0, 200)))
def test_head_is_the_same_in_any_pieces(places):
    assert read([HEAD]) == read(cut(HEAD, places))


PARTS = st.sampled_from(
    [b"HTTP/1.1 ", b"200 ", b"OK", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"Name", b"value", b"\0", b"\xff", b"9"]
)


@given(st.lists(PARTS, max_size=25), st.lists(st.integers(0, 60)))
def test_any_bytes_are_a_head_or_a_complaint(parts, places):
    text = b"HTTP/1.1 200 OK\r\n" + b"".join(parts)
    whole, pieces = read([text]), read(cut(text, places))
    if isinstance(whole, tuple):
        assert whole == pieces
    else:
        assert type(whole) is type(pieces)


@given(st.binary(max_size=80))
def test_no_bytes_make_the_reader_fail(text):
    assert isinstance(read([text], HeadLimits(20, 10, 2)), tuple | str | None)
