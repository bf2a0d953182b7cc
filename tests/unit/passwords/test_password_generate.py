import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.passwords.check import verify
from workers.passwords.generate import generate
from workers.passwords.policy import Dialect
from workers.passwords.schemes import list_schemes
from workers.passwords.verdict import CostError, SchemeError

NAMES = [scheme.name.decode() for scheme in list_schemes(Dialect.EITHER)]
#: Below half a millisecond.
CHEAP = [
    name
    for name in NAMES
    if not name.startswith(("ARGON2", "BLF", "CRYPT", "SHA256-C", "SHA512-C", "SCRAM", "PBK", "OTP"))
]

#: A NUL would end the password.
PLAINS = st.binary(max_size=200).map(lambda data: data.replace(b"\0", b"x"))


def is_match(stored, plain, username=b"user@realm"):
    return verify(stored, plain, username=username, default_scheme="PLAIN", allow_weak=True).is_match


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        (name, suffix)
        for name in NAMES
        for suffix in ("", ".hex", ".b64", ".base64")
        if not suffix or "ARGON2" not in name
    ],
)
def test_generated_hash_matches_its_password_only(name, suffix):
    stored = generate(name + suffix, b"secret", b"user@realm")
    assert stored.startswith(b"{%s}" % (name + suffix).upper().encode())
    assert is_match(stored, b"secret")
    assert not is_match(stored, b"Secret")
    assert not is_match(stored, b"secre")


@settings(deadline=None)
@given(st.sampled_from(CHEAP), st.sampled_from(["", ".hex", ".B64"]), PLAINS)
def test_cheap_scheme_goes_round(name, suffix, plain):
    assert is_match(generate(name + suffix, plain, b"user@realm"), plain)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(("PLAIN", "CLEAR"))])
def test_hash_does_not_show_the_password(name):
    assert b"hunter2" not in generate(name, b"hunter2", b"user@realm")


@pytest.mark.parametrize("name", ["SSHA", "MD5-CRYPT", "CRYPT", "SHA512-CRYPT", "PBKDF2", "SCRAM-SHA-1", "ARGON2I"])
def test_salt_is_another_every_time(name):
    assert generate(name, b"secret") != generate(name, b"secret")


@pytest.mark.parametrize(
    ("name", "rounds", "expected"),
    [
        ("CRYPT", 0, b"$2y$05$"),
        ("BLF-CRYPT", 1, b"$2y$04$"),
        ("BLF-CRYPT", 6, b"$2y$06$"),
        ("SHA512-CRYPT", 1, b"$6$rounds=1000$"),
        ("SHA256-CRYPT", 6000, b"$5$rounds=6000$"),
        ("SCRAM-SHA-256", 5000, b"5000,"),
        ("SCRAM-SHA-1", 1, b"4096,"),
        ("ARGON2ID", 0, b"$argon2id$v=19$m=65536,t=3,p=1$"),
        ("ARGON2ID", 3, b"$argon2id$v=19$m=262144,t=3,p=1$"),
        ("ARGON2I", 5, b"$argon2i$v=19$m=32768,t=5,p=1$"),
    ],
)
def test_rounds_are_doveadms(name, rounds, expected):
    assert expected in generate(name, b"secret", rounds=rounds)


def test_default_rounds_of_sha_crypt_are_not_written():
    assert b"rounds" not in generate("SHA512-CRYPT", b"secret", rounds=5000)


@pytest.mark.parametrize(
    ("name", "rounds"),
    [
        ("BLF-CRYPT", 17),
        ("SHA512-CRYPT", 10**9),
        ("PBKDF2", 10**9),
        ("SCRAM-SHA-1", 10**9),
        ("ARGON2ID", 4),
        ("ARGON2I", 10**6),
    ],
)
def test_hash_that_would_be_refused_is_not_made(name, rounds):
    with pytest.raises(CostError, match=r"Password hash refused: .* is over the limit of"):
        generate(name, b"secret", rounds=rounds)


@pytest.mark.parametrize(
    ("name", "plain", "message"),
    [
        ("NOPE", b"x", "Unknown scheme: NOPE"),
        ("SHA.b32", b"x", "Unknown scheme: SHA.B32"),
        ("DIGEST-MD5", b"x", "the user name too"),
        ("SHA", b"a\0b", "with a NUL"),
        ("SHA512-CRYPT", b"x" * 512, "511 bytes at most"),
    ],
)
def test_impossible_hash_is_explained(name, plain, message):
    with pytest.raises(SchemeError, match=message):
        generate(name, plain)


def test_truncated_plain_password_is_matched_whole():
    assert b"{PLAIN-TRUNC}4-abc" == generate("PLAIN-TRUNC", b"abc")
    assert not is_match(b"{PLAIN-TRUNC}4-abc", b"abcd")
