import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.key_text import decode_keys, encode_key
from dispatcher.protocol.sealing import generate_key

KEYS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=5, unique=True)


@given(keys=KEYS, separator=st.sampled_from([",", " ", "\n", ", ", "\r\n\t"]))
def test_keys_come_back_in_their_order(keys, separator):
    assert keys == decode_keys(separator.join(map(encode_key, keys)) + separator)


def test_repeated_key_counts_once():
    key = generate_key()
    assert 1 == len(decode_keys(f"{key} {key}"))


def test_generated_keys_differ_and_carry_their_mark():
    first, second = generate_key(), generate_key()
    assert first != second
    assert first.startswith("lk1_")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(" ,\n", id="only separators"),
        pytest.param("hunter2", id="a password"),
        pytest.param("lk1_", id="only the mark"),
        pytest.param(encode_key(b"k" * 31), id="31 bytes"),
        pytest.param(encode_key(b"k" * 33), id="33 bytes"),
        pytest.param(encode_key(b"k" * 32)[4:], id="without the mark"),
        pytest.param(encode_key(b"k" * 32) + "=", id="padded"),
        pytest.param(encode_key(b"k" * 32)[:-1] + "t", id="stray bits at the end"),
        pytest.param(encode_key(b"\xff" * 32).replace("_", "/", 2), id="other base64 alphabet"),
        pytest.param(encode_key(b"k" * 32) + ",ключ", id="second one is not ASCII"),
    ],
)
def test_text_that_is_no_key_is_refused_without_showing_it(text):
    with pytest.raises(SettingsError) as caught:
        decode_keys(text)
    assert "lualoft keygen" in caught.value.allowed
    for word in text.replace(",", " ").split():
        assert word not in str(caught.value) or word == "lk1_"
