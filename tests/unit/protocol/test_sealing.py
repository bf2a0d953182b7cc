import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.errors import SealError, SettingsError
from dispatcher.protocol.sealing import (
    FINGERPRINT_BYTES,
    KEY_ID_BYTES,
    NONCE_BYTES,
    OVERHEAD_BYTES,
    SALT_BYTES,
    VERSION,
    Seal,
    generate_key,
    message_number,
)

OLD_KEY = generate_key()
NEW_KEY = generate_key()
SEAL = Seal.from_keys([OLD_KEY])
CONTEXT = b"lualoft:chunk:default"
HEADER_BYTES = 1 + KEY_ID_BYTES + SALT_BYTES


def salt_of(sealed):
    return sealed[1 + KEY_ID_BYTES : HEADER_BYTES]


def salt_and_nonce_of(sealed):
    return sealed[1 + KEY_ID_BYTES : HEADER_BYTES + NONCE_BYTES]


def in_forked_child(work):
    """Return the bytes that `work` returns in a forked child."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write_end, work())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        data = pipe.read()
    assert os.waitpid(pid, 0) == (pid, 0)
    return data


@given(data=st.binary(), context=st.binary())
def test_unseal_returns_what_was_sealed(data, context):
    assert data == SEAL.unseal(SEAL.seal(data, context), context)


@given(data=st.binary(max_size=200))
def test_sealed_message_has_a_fixed_overhead(data):
    assert len(data) + OVERHEAD_BYTES == len(SEAL.seal(data, CONTEXT))


@given(data=st.binary(max_size=40), where=st.integers(min_value=0), flip=st.integers(1, 255))
def test_any_changed_byte_is_refused(data, where, flip):
    sealed = bytearray(SEAL.seal(data, CONTEXT))
    sealed[where % len(sealed)] ^= flip
    with pytest.raises(SealError):
        SEAL.unseal(bytes(sealed), CONTEXT)


@given(data=st.binary(max_size=40), keep=st.integers(min_value=0))
def test_cut_message_is_refused(data, keep):
    sealed = SEAL.seal(data, CONTEXT)
    with pytest.raises(SealError):
        SEAL.unseal(sealed[: keep % len(sealed)], CONTEXT)


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused(garbage):
    with pytest.raises(SealError):
        SEAL.unseal(garbage, CONTEXT)


@given(garbage=st.binary(max_size=200))
def test_garbage_behind_a_true_header_is_refused(garbage):
    header = SEAL.seal(b"", CONTEXT)[:HEADER_BYTES]
    with pytest.raises(SealError):
        SEAL.unseal(header + garbage, CONTEXT)


@given(context=st.binary(), other=st.binary())
def test_message_for_another_place_is_refused(context, other):
    sealed = SEAL.seal(b"data", context)
    if context == other:
        assert b"data" == SEAL.unseal(sealed, other)
    else:
        with pytest.raises(SealError, match="another place"):
            SEAL.unseal(sealed, other)


def test_message_under_a_foreign_key_is_refused():
    with pytest.raises(SealError, match="a key that is not ours"):
        Seal.from_keys([NEW_KEY]).unseal(SEAL.seal(b"data", CONTEXT), CONTEXT)


def test_message_of_another_version_is_refused():
    sealed = SEAL.seal(b"data", CONTEXT)
    with pytest.raises(SealError, match="another version"):
        SEAL.unseal(b"\x02" + sealed[1:], CONTEXT)


def test_wire_form_begins_with_version_one():
    assert b"\x01" == VERSION == SEAL.seal(b"", CONTEXT)[:1]


def test_first_key_seals():
    sealed = Seal.from_keys([NEW_KEY, OLD_KEY]).seal(b"data", CONTEXT)
    assert b"data" == Seal.from_keys([NEW_KEY]).unseal(sealed, CONTEXT)


def test_every_key_opens():
    rotated = Seal.from_keys([f"{NEW_KEY},{OLD_KEY}"])
    for key in (NEW_KEY, OLD_KEY):
        assert b"data" == rotated.unseal(Seal.from_keys([key]).seal(b"data", CONTEXT), CONTEXT)


def test_seal_without_keys_is_refused():
    with pytest.raises(SettingsError, match="no key"):
        Seal.from_keys([])


def test_repr_shows_no_key():
    assert "Seal(keys=2)" == repr(Seal.from_keys([NEW_KEY, OLD_KEY]))


def test_two_seals_of_one_key_have_their_own_salts():
    assert salt_of(Seal.from_keys([OLD_KEY]).seal(b"", CONTEXT)) != salt_of(SEAL.seal(b"", CONTEXT))


def test_session_changes_when_its_messages_are_used_up():
    limited = Seal([b"k" * 32], max_session_messages=2)
    sealed = [limited.seal(b"data", CONTEXT) for _ in range(5)]
    assert [True, False, True, False] == [salt_of(a) == salt_of(b) for a, b in pairwise(sealed)]
    assert [b"data"] * 5 == [limited.unseal(message, CONTEXT) for message in sealed]


def test_threads_never_share_a_nonce():
    seal = Seal([b"k" * 32], max_session_messages=100)
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda number: seal.seal(b"%d" % number, CONTEXT), range(4000)))
        opened = list(pool.map(lambda message: seal.unseal(message, CONTEXT), sealed))
    assert 4000 == len({salt_and_nonce_of(message) for message in sealed})
    assert [b"%d" % number for number in range(4000)] == opened


def test_forked_child_seals_with_its_own_salt():
    before = SEAL.seal(b"", CONTEXT)
    child = in_forked_child(lambda: SEAL.seal(b"child", CONTEXT))
    assert salt_of(before) != salt_of(child)
    assert b"child" == SEAL.unseal(child, CONTEXT)


def test_child_of_a_child_seals_with_its_own_salt():
    def child():
        mine = SEAL.seal(b"", CONTEXT)
        return mine + in_forked_child(lambda: SEAL.seal(b"", CONTEXT))

    both = in_forked_child(child)
    salts = {salt_of(SEAL.seal(b"", CONTEXT)), salt_of(both[:OVERHEAD_BYTES]), salt_of(both[OVERHEAD_BYTES:])}
    assert 3 == len(salts)


def test_no_two_messages_have_the_same_number():
    seal = Seal.from_keys([generate_key()])
    other = Seal.from_keys([generate_key()])
    numbers = {message_number(one.seal(b"x", b"c")) for one in (seal, other) for _ in range(100)}
    assert 200 == len(numbers)


def test_messages_of_a_session_are_numbered_in_turn():
    seal = Seal.from_keys([generate_key()])
    assert [0, 1, 2] == [message_number(seal.seal(b"x", b"c"))[1] for _ in range(3)]


def test_fingerprint_is_the_same_on_every_side_with_the_same_first_key():
    first, second = generate_key(), generate_key()
    sides = (Seal.from_keys([first]), Seal.from_keys([f"{first},{second}"]))
    assert 1 == len({side.fingerprint(b"limit user", b"joe") for side in sides})


def test_fingerprint_differs_by_key_purpose_and_data():
    seal, other = Seal.from_keys([generate_key()]), Seal.from_keys([generate_key()])
    found = {
        seal.fingerprint(b"limit user", b"joe"),
        seal.fingerprint(b"limit user", b"ann"),
        seal.fingerprint(b"limit address", b"joe"),
        other.fingerprint(b"limit user", b"joe"),
    }
    assert 4 == len(found)
    assert {FINGERPRINT_BYTES} == {len(fingerprint) for fingerprint in found}
