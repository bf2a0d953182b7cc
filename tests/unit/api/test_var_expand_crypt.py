"""`encrypt` and `decrypt` of 2.4 templates; the vector is that of Dovecot's own test."""

from __future__ import annotations

import pytest

from workers.api.var_expand.error import VarExpandError
from workers.api.var_expand.expansion import expand

VARIABLES = {
    b"iv": b"98b3b40a48ca40f998b3b40a48ca40f9",
    b"key": b"cc2981c8f38aea59cc2981c8f38aea59",
    b"encrypted": b"98b3b40a48ca40f998b3b40a48ca40f9$46b58741763fe22598014be26331a082$",
    b"salted": b"s=pepper,r=1000$00$",
    b"decrypted": b"hello, world",
}


def test_encrypting_with_an_iv_gives_dovecots_vector():
    template = b"%{decrypted | encrypt(algorithm='aes-128-cbc',key=key,iv=iv)}"
    assert VARIABLES[b"encrypted"] == expand(template, VARIABLES, {})


def test_raw_output_has_no_iv():
    template = b"%{decrypted | encrypt(algorithm='AES-128-CBC',key=key,iv=iv,raw=1)}"
    assert b"46b58741763fe22598014be26331a082" == expand(template, VARIABLES, {})


def test_decrypting_takes_the_iv_from_the_value():
    template = b"%{encrypted | decrypt(algorithm='aes-128-cbc',key=key)}"
    assert b"hello, world" == expand(template, VARIABLES, {})


@pytest.mark.parametrize(
    "arguments",
    [
        b"key='secret'",
        b"key='secret',salt='pepper'",
        b"key='secret',salt='pepper',rounds=5,hash='sha512'",
        b"key='secret',algorithm='aes-192-ctr'",
        b"key='secret',algorithm='aes-256-ecb'",
        b"key='secret',salt='pepper',raw=1",
        b"key=key,iv='',algorithm='aes-128-cbc'",
    ],
)
def test_what_was_encrypted_can_be_decrypted(arguments):
    other = arguments.replace(b",iv=''", b"")
    assert b"hello, world" == expand(b"%%{decrypted | encrypt(%b) | decrypt(%b)}" % (arguments, other), VARIABLES, {})


def test_salted_output_names_salt_and_rounds():
    result = expand(b"%{decrypted | encrypt(key='secret',salt='pepper',rounds=12)}", VARIABLES, {})
    assert result.startswith(b"s=pepper,r=12$")


def test_salt_is_made_anew_each_time():
    template = b"%{decrypted | encrypt(key='secret',rounds=1)}"
    assert expand(template, VARIABLES, {}) != expand(template, VARIABLES, {})


def test_decrypted_nul_is_binary():
    template = b"%{literal('6100') | unhexlify | encrypt(key='k',rounds=1) | decrypt(key='k')}"
    assert b"6100" == expand(template, VARIABLES, {})


ERRORS = [
    (b"%{decrypted | encrypt}", b"encrypt: Encryption key missing"),
    (b"%{decrypted | encrypt('x')}", b"encrypt: Too many positional parameters"),
    (b"%{decrypted | encrypt(fail=1)}", b"encrypt: Unsupported key 'fail'"),
    (b"%{decrypted | encrypt(key='')}", b"encrypt: Empty encryption key"),
    (b"%{decrypted | encrypt(key=key,iv=iv,salt='x')}", b"encrypt: Cannot use both salt and iv"),
    (b"%{decrypted | encrypt(key=key,rounds=0)}", b"encrypt: rounds must be positive integer"),
    (b"%{decrypted | encrypt(key=key,rounds=500001)}", b"encrypt: Template takes too much work"),
    (b"%{decrypted | encrypt(key=key,hash='nosuch')}", b"encrypt: Invalid digest nosuch"),
    (b"%{decrypted | encrypt(key=key,algorithm='null')}", b"encrypt: Invalid cipher null"),
    (b"%{decrypted | encrypt(key='cc',iv=iv)}", b"encrypt: Key length invalid (1 != 32)"),
    (b"%{decrypted | encrypt(key=key,iv='98b3')}", b"encrypt: IV length invalid (2 != 16)"),
    (b"%{encrypt(key=key)}", b"encrypt: No value to encrypt"),
    (b"%{decrypt(key=key)}", b"decrypt: No value to decrypt"),
    (b"%{decrypted | decrypt(key=key)}", b"decrypt: Invalid input format"),
    (b"%{encrypted | decrypt(key=key,iv=iv)}", b"decrypt: Cannot have iv in parameter and input"),
    (b"%{literal('s=x,r=no$00$') | decrypt(key=key)}", b"decrypt: Invalid input"),
    (b"%{literal('s=x,z=1$00$') | decrypt(key=key)}", b"decrypt: Invalid input"),
    (b"%{literal('s=x,r=999999999$00$') | decrypt(key=key)}", b"decrypt: Template takes too much work"),
    (b"%{salted | decrypt(key=key)}", b"decrypt: bad decrypt"),
]


@pytest.mark.parametrize(("template", "detail"), ERRORS, ids=[repr(template) for template, _ in ERRORS])
def test_error_has_dovecots_words(template, detail):
    with pytest.raises(VarExpandError) as caught:
        expand(template, VARIABLES, {})
    assert detail == caught.value.detail
