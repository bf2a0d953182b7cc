import time

import pytest

from dispatcher.protocol.parked import FORGET_S, MAX_PAUSE_S, MAX_VALUE_BYTES, Parked, decode_parked, encode_parked
from dispatcher.protocol.sealing import Seal, generate_key

KEY, OTHER_KEY = generate_key(), generate_key()
SEAL = Seal.from_keys([KEY])
SCRIPT, OTHER = b"\1" * 32, b"\2" * 32


def parked(**changes):
    return Parked(**{"until_unix_s": time.time() + 5, "pause_s": 5.0, "name": "auth.lua", **changes})


def field(package_id):
    return package_id.hex().encode()


@pytest.mark.parametrize("seal", [SEAL, None], ids=["with the key", "without"])
def test_what_is_read_is_what_was_written(seal):
    one = parked()
    assert {SCRIPT: one} == decode_parked({field(SCRIPT): encode_parked(SCRIPT, one, SEAL)}, seal)


def test_proof_of_an_older_key_holds_while_that_is_known():
    one = parked()
    value = encode_parked(SCRIPT, one, Seal.from_keys([OTHER_KEY]))
    assert {SCRIPT: one} == decode_parked({field(SCRIPT): value}, Seal.from_keys([KEY, OTHER_KEY]))


def forgeries():
    value = encode_parked(SCRIPT, parked(), SEAL)
    proof, _, text = value.partition(b" ")
    later = text.replace(b"5.0", b"6.0")
    assert later != text
    yield pytest.param(SCRIPT, text, id="no proof")
    yield pytest.param(SCRIPT, b" " + text, id="empty proof")
    yield pytest.param(SCRIPT, b"zz " + text, id="proof that is no hex")
    yield pytest.param(SCRIPT, b"01" * 49 + b" " + text, id="made-up proof")
    yield pytest.param(SCRIPT, proof + b" " + later, id="another text")
    yield pytest.param(OTHER, value, id="another script")
    yield pytest.param(SCRIPT, encode_parked(SCRIPT, parked(), Seal.from_keys([OTHER_KEY])), id="another key")


@pytest.mark.parametrize(("package_id", "value"), list(forgeries()))
def test_what_nobody_with_the_key_wrote_is_left_out(package_id, value):
    assert {} == decode_parked({field(package_id): value}, SEAL)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(b"zz", b'00 [1,2,"x"]', id="no package id"),
        pytest.param(b"00", b"", id="empty"),
        pytest.param(b"00", b"00 [1,2]", id="too short"),
        pytest.param(b"00", b'00 {"until": 1}', id="an object"),
        pytest.param(b"\xff", b'00 [1,2,"x"]', id="not UTF-8"),
        pytest.param(b"00", b'00 [1,2,"\xff"]', id="a name that is not UTF-8"),
    ],
)
def test_what_is_none_of_ours_is_left_out_without_the_key_too(name, value):
    assert {} == decode_parked({name: value}, None)


def test_pause_is_bounded():
    value = encode_parked(SCRIPT, Parked(1e300, 1e300, "x"), SEAL)
    (found,) = decode_parked({field(SCRIPT): value}, SEAL).values()
    assert found.until_unix_s <= time.time() + MAX_PAUSE_S
    assert MAX_PAUSE_S == found.pause_s


@pytest.mark.parametrize(("ago_s", "count"), [(FORGET_S - 10, 1), (FORGET_S + 1, 0)], ids=["just over", "long over"])
def test_what_is_long_over_is_left_out(ago_s, count):
    # Recorded and put back, it would make the next pause longer.
    value = encode_parked(SCRIPT, parked(until_unix_s=time.time() - ago_s), SEAL)
    assert count == len(decode_parked({field(SCRIPT): value}, SEAL))


@pytest.mark.parametrize("name", ["x" * 10_000, "\0" * 10_000, "\U0001f600" * 10_000], ids=["x", "NUL", "emoji"])
def test_value_stays_within_what_is_read(name):
    assert MAX_VALUE_BYTES >= len(encode_parked(SCRIPT, parked(name=name), SEAL))
