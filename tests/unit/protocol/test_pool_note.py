import pytest

from dispatcher.protocol.pool_note import PoolNote, decode_pool_note, encode_pool_note

NOTE = PoolNote(host="mx1", pid=7, queue="default", wanted_workers=2, ready_workers=1, deaths=3, last_end="exit code 1")


def test_what_is_read_is_what_was_written():
    assert NOTE == decode_pool_note(encode_pool_note(NOTE))


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"{}", b'{"host": 1}', b"\xff", b"[" * 5000], ids=range(7))
def test_what_others_wrote_is_no_note(data):
    assert decode_pool_note(data) is None


def test_texts_are_cut():
    long = PoolNote(host="x" * 1000, pid=7, queue="q" * 1000, wanted_workers=2, ready_workers=1, last_end="y" * 1000)
    found = decode_pool_note(encode_pool_note(long))
    assert [200, 200, 200] == [len(text) for text in (found.host, found.queue, found.last_end)]
