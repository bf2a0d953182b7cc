"""Every case of tests/conformance/cases_auth: verdict, user, fields, reason, log, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.auth_harness import AuthCase, first_line, load_cases, run

CASES = load_cases()
RUNS = [
    pytest.param(case, dialect, version, id=f"{stem} | {case.id} | {dialect} | {version}")
    for stem, case in CASES
    for dialect in case.dialects
    for version in case.luas
]

#: What the issue demands.
LEAST_CASES = 250


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {_shown(key): _shown(value) for key, value in fields.items()}


def _shown(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(("case", "dialect", "version"), RUNS)
def test_case(case: AuthCase, dialect: str, version: str):
    seen = run(case, dialect, version)
    assert (case.kind, case.error) == (seen.kind, seen.error)
    assert list(case.logs) == [first_line(line) for line in seen.logs if not line.startswith(STACK)]
    result = seen.result
    if case.kind != "ok":
        assert result is None
        return
    assert (case.verdict, case.reason) == (result.verdict.value, first_line(result.reason))
    assert case.fields == _text(result.fields)
    assert case.hidden == _text(result.hidden_fields)
    assert case.userdb == _text(result.userdb_fields)
    assert case.new_user == _shown(result.user)
    assert case.stored == _shown(result.password)
    assert case.master_user == _shown(result.master_user)
    assert (list(case.users), case.next_user) == ([_shown(user) for user in result.users], result.next_user)


#: How the lines of a Lua traceback begin in the log.
STACK = ("Error: stack traceback:", "Error: \t")


def test_there_are_enough_cases_and_no_two_of_one_name():
    names = Counter((stem, case.id) for stem, case in CASES)
    assert {} == {name: count for name, count in names.items() if count > 1}
    assert len(CASES) >= LEAST_CASES
