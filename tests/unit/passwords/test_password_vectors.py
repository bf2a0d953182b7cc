"""Every row that was observed on the real Dovecot 2.3.19 and 2.4: result and text, to the letter."""

import json
from pathlib import Path

import pytest

from workers.passwords.check import blocking_verify, verify
from workers.passwords.lookup import is_temporary, verify_returned
from workers.passwords.policy import Dialect, Origin, allows_weak, default_scheme
from workers.passwords.verdict import Verdict

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "password-vectors.jsonl").read_text().splitlines()
]
VERIFY_VECTORS = [row for row in VECTORS if row["context"] == "password_verify"]
LOOKUP_VECTORS = [row for row in VECTORS if row["context"] == "passdb_lookup"]

#: Word of the vectors -> our verdicts.
CLASSES = {
    "match": {Verdict.MATCH},
    "mismatch": {Verdict.MISMATCH},
    "unknown_scheme": {Verdict.UNKNOWN_SCHEME},
    "invalid": {Verdict.UNDECODABLE, Verdict.MALFORMED},
    "weak_refused": {Verdict.WEAK_REFUSED},
}


def raw(text):
    """Return the bytes that a vector's text stands for."""
    return (text or "").encode("utf-8", "surrogateescape")


def dialect_of(row):
    return Dialect.V2_3 if row["dovecot"] == "2.3.19" else Dialect.V2_4


def row_id(row):
    return row["id"]


def checked(row, dialect, *, allow_weak):
    return verify(
        raw(row["stored"]),
        raw(row["plain"]),
        username=raw(row["username"]),
        dialect=dialect,
        default_scheme=default_scheme(dialect, Origin.PASSWORD_VERIFY),
        allow_weak=allow_weak,
    )


@pytest.mark.parametrize("row", VERIFY_VECTORS, ids=row_id)
def test_password_verify_says_what_dovecot_says(row):
    done = checked(row, dialect_of(row), allow_weak=row["allow_weak"])
    assert (row["rc"], raw(row["message"])) == (done.result, done.error)
    assert done.verdict in CLASSES[row["expect"]]


@pytest.mark.parametrize("row", VERIFY_VECTORS, ids=row_id)
def test_operation_returns_what_lua_gets(row):
    dialect = dialect_of(row)
    values = blocking_verify(
        raw(row["stored"]), raw(row["plain"]), raw(row["username"]), dialect.encode(), b"PLAIN", row["allow_weak"]
    )
    assert (row["rc"], row["message"] and raw(row["message"])) == values
    assert float is type(values[0])


@pytest.mark.parametrize(
    ("dialect", "is_allowed", "profile"),
    [
        (Dialect.V2_3, allows_weak(Dialect.V2_3), "2.3.19"),
        (Dialect.V2_4, allows_weak(Dialect.V2_4), "2.4"),
        (Dialect.V2_4, allows_weak(Dialect.V2_4, setting=True), "2.4+allow_weak"),
    ],
    ids=["2.3", "2.4", "2.4 with weak ones"],
)
@pytest.mark.parametrize("row", VERIFY_VECTORS, ids=row_id)
def test_profile_gives_its_own_verdict(row, dialect, is_allowed, profile):
    assert checked(row, dialect, allow_weak=is_allowed).verdict in CLASSES[row["all"][profile]]


@pytest.mark.parametrize("row", LOOKUP_VECTORS, ids=row_id)
def test_returned_password_is_checked_as_dovecot_does(row):
    dialect = dialect_of(row)
    done = verify_returned(
        raw(row["stored"]),
        raw(row["plain"]),
        username=raw(row["username"]),
        dialect=dialect,
        allow_weak=row["allow_weak"],
    )
    assert raw(row["message"]) == done.error
    assert done.verdict in CLASSES[row["expect"]]
    assert row["wire"].startswith("OK") == done.is_match
    assert ("code=temp_fail" in row["wire"]) == is_temporary(done, dialect)


def test_every_scheme_has_a_vector_that_matches():
    matched = {row["scheme"] for row in VECTORS if row["expect"] == "match"}
    assert {"ARGON2", "BLF-CRYPT", "CRAM-MD5", "DES-CRYPT", "OTP", "PBKDF2", "PLAIN-MD4", "SCRAM-SHA-256"} <= matched
    assert len(VECTORS) == len({row["id"] for row in VECTORS}) >= 358
