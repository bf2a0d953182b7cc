import pytest

from workers.passwords.check import blocking_verify, split_scheme, verify
from workers.passwords.lookup import is_temporary, verify_returned
from workers.passwords.policy import Dialect, Origin, allows_weak, default_scheme
from workers.passwords.scheme import Attempt, NewPassword
from workers.passwords.verdict import Verdict, Verification

SHA256_OF_SECRET = b"K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols="


def check(stored, plain=b"secret", *, default="PLAIN", allow_weak=True, **options):
    return verify(stored, plain, default_scheme=default, allow_weak=allow_weak, **options)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"{SHA256.hex}abc", (b"SHA256.hex", b"abc")),
        (b"{}x", (b"", b"x")),
        (b"{PLAIN}{SHA}x", (b"PLAIN", b"{SHA}x")),
        (b"{PLAIN", (None, b"{PLAIN")),
        (b" {PLAIN}x", (None, b" {PLAIN}x")),
        (b"{PLAIN}a\nb", (b"PLAIN", b"a\nb")),
        (b"{PLAIN}a\0b", (b"PLAIN", b"a")),
        (b"", (None, b"")),
        (b"$1$salt$hash", (b"MD5-CRYPT", b"$1$salt$hash")),
        (b"$1$salt$hash$rest", (b"MD5-CRYPT", b"$1$salt$hash")),
        (b"$1$$", (b"MD5-CRYPT", b"$1$$")),
        (b"$1$salt", (None, b"$1$salt")),
        (b"$2y$05$x", (None, b"$2y$05$x")),
    ],
    ids=repr,
)
def test_stored_password_is_split(stored, expected):
    assert expected == split_scheme(stored)


@pytest.mark.parametrize(
    ("stored", "options", "result", "error"),
    [
        (b"{SHA256}" + SHA256_OF_SECRET, {}, 1, b""),
        (b"{SHA256}" + SHA256_OF_SECRET, {"plain": b"Secret"}, 0, b"Password mismatch"),
        (b"{NOSUCH}x", {}, 0, b"Unknown scheme NOSUCH"),
        (b"{SHA256.foo}x", {}, 0, b"Unknown scheme SHA256.foo"),
        (b"{\xff}x", {}, 0, b"Unknown scheme \xff"),
        (
            b"{SHA256}!",
            {},
            -1,
            b"Password data is not valid for scheme SHA256: Input isn't valid base64 encoded data",
        ),
        (
            b"{sha256}YQ==",
            {},
            -1,
            b"Password data is not valid for scheme sha256: Input length isn't valid (1 instead of 32)",
        ),
        (
            b"{SHA256.HEX}6",
            {},
            -1,
            b"Password data is not valid for scheme SHA256.HEX: Input isn't valid HEX encoded data",
        ),
        (
            b"{MD5}x",
            {"allow_weak": False},
            -1,
            b"Weak password scheme 'MD5' used and refused (Set auth_allow_weak_schemes=yes to allow)",
        ),
        (b"{CRYPT}!!", {"allow_weak": False}, -1, b"Weak password scheme 'DES-CRYPT' used and refused"),
        (b"{CRYPT}$1$a$b", {"allow_weak": False}, -1, b"Weak password scheme 'MD5-CRYPT' used and refused"),
        (b"{SSHA}", {}, -1, b"SSHA password is too short"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_text_is_dovecots(stored, options, result, error):
    done = check(stored, **options)
    assert (result, error) == (done.result, done.error)


def test_password_without_a_prefix_is_of_the_default_scheme():
    assert check(b"secret").is_match
    assert check(SHA256_OF_SECRET, default="SHA256").is_match


@pytest.mark.parametrize(
    ("dialect", "origin", "expected"),
    [
        (Dialect.V2_3, Origin.PASSWORD_VERIFY, "PLAIN"),
        (Dialect.V2_3, Origin.PASSDB_LOOKUP, "PLAIN"),
        (Dialect.V2_4, Origin.PASSWORD_VERIFY, "PLAIN"),
        (Dialect.V2_4, Origin.PASSDB_LOOKUP, "CRYPT"),
    ],
)
def test_default_scheme_depends_on_dialect_and_origin(dialect, origin, expected):
    assert expected == default_scheme(dialect, origin)


@pytest.mark.parametrize(
    ("dialect", "setting", "expected"),
    [
        (Dialect.V2_3, None, True),
        (Dialect.V2_3, False, True),
        (Dialect.V2_4, None, False),
        (Dialect.V2_4, False, False),
        (Dialect.V2_4, True, True),
    ],
)
def test_weak_schemes_are_refused_by_2_4_unless_it_is_told_otherwise(dialect, setting, expected):
    assert expected == allows_weak(dialect, setting)


def test_schemes_of_one_dialect_are_unknown_to_the_other():
    assert b"Unknown scheme ARGON2" == check(b"{ARGON2}x", dialect=Dialect.V2_3).error
    assert b"Unknown scheme OTP" == check(b"{OTP}x", dialect=Dialect.V2_4).error
    assert {Verdict.MISMATCH, Verdict.MALFORMED} == {check(stored).verdict for stored in (b"{ARGON2}x", b"{OTP}x")}


@pytest.mark.parametrize("stored", [b"{PLAIN}ab", b"{SHA}2iNhTgJGmg18e9GxZOl/dUPwX4k="], ids=["plain", "sha"])
def test_password_ends_at_a_nul(stored):
    assert check(stored, b"ab\0cd").is_match == check(stored, b"ab").is_match


def test_username_counts_as_it_was_typed():
    stored = b"{DIGEST-MD5}f90dcce7d9b643a346d87e2a1fec15ea"
    assert check(stored, b"Tr0ub4dor-3", username=b"User@Example.Com").is_match
    assert not check(stored, b"Tr0ub4dor-3", username=b"user@example.com").is_match


def test_operation_never_raises():
    failed = (-1.0, b"Password check failed: internal error")
    assert failed == blocking_verify(b"x", b"x", b"", b"9.9", b"PLAIN", allow_weak=True)


def test_error_of_the_operation_holds_no_password():
    _, error = blocking_verify("hunter2", b"hunter2", b"", b"2.4", b"PLAIN", allow_weak=False)
    assert b"hunter2" not in error


@pytest.mark.parametrize("secret", [Attempt(b"hunter2", b"hunter2"), NewPassword(b"hunter2")], ids=["check", "make"])
def test_repr_shows_no_password(secret):
    assert "hunter2" not in repr(secret)


def test_returned_password_may_have_a_configured_scheme():
    done = verify_returned(
        SHA256_OF_SECRET, b"secret", username=b"u", dialect=Dialect.V2_3, allow_weak=True, scheme="SHA256"
    )
    assert done.is_match


def test_returned_password_that_is_undecodable_has_no_prefix_in_its_text():
    done = verify_returned(b"{SHA}x", b"secret", username=b"u", dialect=Dialect.V2_4, allow_weak=False)
    assert done.error.startswith(b"Password data is not valid for scheme SHA: ")
    assert is_temporary(done, Dialect.V2_4)
    assert not is_temporary(done, Dialect.V2_3)


def test_only_a_match_is_a_match():
    assert [Verdict.MATCH] == [verdict for verdict in Verdict if Verification(verdict).is_match]
    assert [Verdict.MATCH] == [verdict for verdict in Verdict if Verification(verdict).result == 1]
