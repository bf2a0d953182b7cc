import pytest

from workers.dict.slot import hash_tag, slot_of


@pytest.mark.parametrize(
    ("name", "slot"),
    # The cluster specification gives CRC16("123456789") = 0x31C3.
    [(b"123456789", 0x31C3), (b"{123456789}x", 0x31C3), (b"x{123456789}y{z}", 0x31C3), (b"", 0)],
)
def test_slot_is_that_of_the_specification(name, slot):
    assert slot == slot_of(name)


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        # The examples of the cluster specification.
        (b"{user1000}.following", b"user1000"),
        (b"foo{}{bar}", b"foo{}{bar}"),
        (b"foo{{bar}}zap", b"{bar"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{bar", b"foo{bar"),
        (b"foo}bar{", b"foo}bar{"),
    ],
)
def test_hash_tag_is_that_of_the_specification(name, tag):
    assert tag == hash_tag(name)
