"""The parts that are computed here, against published values and against libraries that have them."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.passwords import libcrypt
from workers.passwords.cram_md5 import md5_state
from workers.passwords.md4 import md4
from workers.passwords.md5_crypt import md5_crypt, own_md5_crypt
from workers.passwords.salt import ALPHABET, new_salt

#: RFC 1320, appendix A.5.
MD4_VALUES = {
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"a": "bde52cb31de33e46245e05fbdbd6fb24",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    b"1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}

NO_NUL = st.binary(max_size=100).map(lambda data: data.replace(b"\0", b"x"))


@pytest.mark.parametrize(("data", "expected"), MD4_VALUES.items(), ids=repr)
def test_md4_gives_the_values_of_its_rfc(data, expected):
    assert expected == md4(data).hex()


@given(st.binary(max_size=55))
def test_md5_state_of_the_only_block_is_the_digest(data):
    block = data + b"\x80" + b"\0" * (55 - len(data)) + struct.pack("<Q", 8 * len(data))
    assert hashlib.md5(data).digest() == md5_state(block)


@settings(deadline=None, max_examples=50)
@given(NO_NUL, st.text(ALPHABET.decode(), min_size=1, max_size=8))
def test_own_md5_crypt_agrees_with_libcrypt(plain, salt):
    assert libcrypt.crypt(plain, b"$1$" + salt.encode()) == own_md5_crypt(plain, salt.encode())


@pytest.mark.parametrize("plain", [b"x" * 511, b"x" * 512, b"x" * 2000], ids=len)
def test_md5_crypt_knows_no_limit_of_length(plain):
    assert own_md5_crypt(plain, b"salt") == md5_crypt(plain, b"salt")


def test_libcrypt_has_every_method_here():
    assert {"des", "md5", "bcrypt", "sha256", "sha512"} == libcrypt.methods()


@pytest.mark.parametrize(
    ("plain", "setting"),
    [(b"x", b""), (b"x", b"!!"), (b"x", b"*0"), (b"x" * 512, b"$6$salt"), (b"x", b"$6$sa:lt")],
    ids=["empty", "disabled", "failure token", "long password", "colon"],
)
def test_libcrypt_refuses_by_none(plain, setting):
    assert libcrypt.crypt(plain, setting) is None


def test_salt_is_of_the_alphabet():
    salt = new_salt(5000)
    assert set(ALPHABET) == set(salt)
    assert 5000 == len(salt)
