"""What each scheme takes for its own form, beyond what the vectors show."""

import pytest

from workers.passwords.check import verify
from workers.passwords.generate import generate
from workers.passwords.verdict import (
    CostError,
    MalformedError,
    SchemeError,
    UndecodableError,
    WeakRefusedError,
)


def result_of(stored, plain=b"Tr0ub4dor-3", **options):
    done = verify(stored, plain, default_scheme="PLAIN", allow_weak=True, **options)
    return done.result, done.error


MATCH = (1, b"")
MISMATCH = (0, b"Password mismatch")

ARGON2 = b"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQxMjM0NTY3OA$aXC9DAEKFEiTWuBcu7wZSLMLFi2VEnoEfoWYcNxC7WU"


def test_argon2_string_matches():
    assert MATCH == result_of(ARGON2, b"pw")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"C7WU", b"C7WU="),
        (b"NTY3OA$", b"NTY3OA==$"),
        (b"C7WU", b"C7WV"),
        (b"C7WU", b"C7W"),
        (b"v=19", b"v=16"),
        (b"$v=19", b""),
        (b"m=64,t=1", b"t=1,m=64"),
        (b"t=1", b"t=01"),
        (b"t=1", b"t=0"),
        (b"p=1", b"p=0"),
        (b"m=64", b"m=7"),
        (b"m=64", b"m=99999999999"),
        (b"$argon2id", b"$argon2d"),
        (b"$argon2id", b"$ARGON2ID"),
        (b"c2FsdHNhbHQxMjM0NTY3OA", b"c2FsdA"),
        (b"NTY3OA", b"NTY3O\xff"),
    ],
    ids=repr,
)
def test_argon2_string_that_libsodium_refuses_is_a_mismatch(old, new):
    assert old in ARGON2
    assert MISMATCH == result_of(ARGON2.replace(old, new), b"pw")


OTP = b"{OTP}md4 5 test1 29fc6d6756cb8509"
INVALID_OTP = (-1, b"Invalid OTP data in passdb")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (OTP, MATCH),
        (OTP.replace(b"test1", b"TEST1").replace(b"fc", b"FC"), MATCH),
        (OTP.replace(b" 5 ", b" 05 "), MISMATCH),
        (OTP.replace(b" 5 ", b" -0 "), MISMATCH),
        (OTP + b" ", MISMATCH),
        (OTP.replace(b"md4 5", b"md4\t5"), MISMATCH),
        (OTP.replace(b" 5 ", b" +5 "), INVALID_OTP),
        (OTP.replace(b" 5 ", b"  5 "), INVALID_OTP),
        (OTP.replace(b" 5 ", b" 99999999999 "), INVALID_OTP),
        (OTP.replace(b" 5 ", b" %s " % (b"9" * 5000)), INVALID_OTP),
        (OTP.replace(b"test1", b"t" * 17), INVALID_OTP),
        (OTP.replace(b"md4", b"MD4"), INVALID_OTP),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_otp_entry_is_read_as_dovecot_does(stored, expected):
    assert expected == result_of(stored)


@pytest.mark.parametrize(
    ("stored", "plain", "expected"),
    [
        (b"{PLAIN-TRUNC}3-abc", b"abcdef", MATCH),
        (b"{PLAIN-TRUNC}3-abc", b"abxdef", MISMATCH),
        (b"{PLAIN-TRUNC}3-abc", b"ab", MISMATCH),
        (b"{PLAIN-TRUNC}9-abc", b"abcdef", MISMATCH),
        (b"{PLAIN-TRUNC}-", b"anything", MATCH),
        (b"{PLAIN-TRUNC}%s3-abc" % (b"0" * 5000), b"abcd", MATCH),
        (b"{PLAIN-TRUNC}3abc", b"abc", (-1, b"PLAIN-TRUNC missing length: prefix")),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_truncated_password(stored, plain, expected):
    assert expected == result_of(stored, plain)


def test_bcrypt_looks_at_72_bytes():
    stored = generate("BLF-CRYPT", b"x" * 72, rounds=4)
    assert MATCH == result_of(stored, b"x" * 73)
    assert MATCH == result_of(stored, b"x" * 2000)
    assert MISMATCH == result_of(stored, b"x" * 71)
    assert MISMATCH == result_of(stored, b"x" * 71 + b"y")


def test_pbkdf2_without_a_round_is_dovecots_zero_key():
    assert MATCH == result_of(b"{PBKDF2}$1$salt$0$" + b"0" * 40)
    assert MISMATCH == result_of(b"{PBKDF2}$1$salt$0$" + b"1" * 40)


@pytest.mark.parametrize(
    ("username", "typed", "expected"),
    [
        (b"user@realm", b"user@realm", MATCH),
        (b"a@b@realm", b"a@b@realm", MATCH),
        (b"user", b"user@", MATCH),
        (b"user@realm", b"user", MISMATCH),
    ],
    ids=repr,
)
def test_digest_md5_splits_the_user_name_at_the_last_at(username, typed, expected):
    assert expected == result_of(generate("DIGEST-MD5", b"Tr0ub4dor-3", username), username=typed)


def test_errors_are_of_one_family():
    assert issubclass(CostError, MalformedError)
    assert [2, 2] == [error.exit_code for error in (CostError("x", 1), SchemeError("x"))]
    assert not issubclass(UndecodableError, MalformedError)
    assert not issubclass(WeakRefusedError, MalformedError)
