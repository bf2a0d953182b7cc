"""Whatever stands in a database, a check ends in one of six verdicts and never raises."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.passwords.check import blocking_verify, verify
from workers.passwords.lookup import verify_returned
from workers.passwords.policy import Dialect
from workers.passwords.schemes import list_schemes
from workers.passwords.verdict import MISMATCH_TEXT, Verdict

NAMES = [scheme.name for scheme in list_schemes(Dialect.EITHER)]
SUFFIXES = [b"", b".hex", b".b64", b".nope"]

#: Real hashes that stay cheap when a byte of them changes.
REAL = [
    row["stored"].encode("utf-8", "surrogateescape")
    for row in map(json.loads, (Path(__file__).parents[2] / "data" / "password-vectors.jsonl").read_text().splitlines())
    if not any(mark in row["stored"] for mark in ("$2", "$7$", "y$", "rounds=5000", "m=65536", "m=32768"))
]


def assert_is_a_verdict(done):
    assert done.verdict in Verdict
    assert (done.error == b"") == done.is_match
    assert (done.verdict is Verdict.MISMATCH) == (done.error == MISMATCH_TEXT)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(NAMES), st.sampled_from(SUFFIXES), st.binary(max_size=80), st.binary(max_size=80), st.booleans())
def test_arbitrary_data_of_a_scheme_ends_in_a_verdict(name, suffix, data, plain, allow_weak):
    stored = b"{%s%s}%s" % (name, suffix, data)
    assert_is_a_verdict(verify(stored, plain, default_scheme="PLAIN", allow_weak=allow_weak))


@settings(deadline=None)
@given(st.binary(), st.binary(), st.sampled_from(Dialect), st.sampled_from(["PLAIN", "CRYPT", "MD5"]))
@example(b"$1$", b"", Dialect.V2_3, "CRYPT")
@example(b"{", b"{", Dialect.V2_3, "PLAIN")
def test_arbitrary_bytes_end_in_a_verdict(stored, plain, dialect, scheme):
    assert_is_a_verdict(verify(stored, plain, dialect=dialect, default_scheme=scheme, allow_weak=True))
    returned = verify_returned(stored, plain, username=b"u", dialect=dialect, allow_weak=False, scheme=scheme)
    assert returned.verdict in Verdict


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(REAL), st.data())
def test_real_hash_with_another_byte_ends_in_a_verdict(stored, data):
    place = data.draw(st.integers(0, max(0, len(stored) - 1)))
    changed = stored[:place] + data.draw(st.binary(max_size=2)) + stored[place + 1 :]
    assert_is_a_verdict(verify(changed, b"Tr0ub4dor-3", default_scheme="PLAIN", allow_weak=True))


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(), st.none(), st.integers(), st.text()), min_size=6, max_size=6))
def test_operation_never_raises_whatever_it_is_given(values):
    result, error = blocking_verify(*values)
    assert result in {1.0, 0.0, -1.0}
    assert isinstance(error, bytes)


@pytest.mark.parametrize("name", NAMES, ids=bytes.decode)
@pytest.mark.parametrize("plain", [b"x" * 65_536, b"\t\n\"'\\", bytes(range(1, 256))], ids=["64 kB", "quotes", "8 bit"])
def test_strange_password_ends_in_a_verdict(name, plain):
    assert_is_a_verdict(verify(b"{%s}x" % name, plain, default_scheme="PLAIN", allow_weak=True))
