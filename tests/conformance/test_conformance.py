"""Every case of tests/conformance/cases: the results, the error, the log, and nothing else."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.conformance.harness import ALL_LUAS, Case, load_cases, run, shown_records

CASES = load_cases()
RUNS = [
    pytest.param(case.for_lua(version), version, id=f"{stem} | {case.id} | {version}")
    for stem, case in CASES
    for version in case.luas
]

#: What the issue demands.
LEAST_CASES = 350

#: Items of the reference's section 10 ("most easily gets wrong") on scripts, the dovecot table, events and dicts. Items
#: 14 and 15 need more than one init or state: tests/unit/lua/test_script_life.py has them.
ITEMS = {1, 2, 3, 4, 6, 12, 13, 16, 17, 18, 19, 20, 21, 22, 33, 36, 37, 38, 39, 40, 42, 44}


def _typed(values: object) -> object:
    """Make 1, 1.0 and True differ."""
    if isinstance(values, list | tuple):
        return [_typed(value) for value in values]
    if isinstance(values, dict):
        return {key: _typed(value) for key, value in values.items()}
    return (type(values).__name__, values)


@pytest.mark.parametrize(("case", "version"), RUNS)
def test_case(case: Case, version: str, operations):
    seen = run(case, version, operations)
    assert case.load_error == seen.load_error
    assert case.init_error == seen.init_error
    if case.failure:
        assert case.failure == seen.failure
    else:
        assert case.error == seen.error
    assert _typed(case.values) == _typed(seen.values)
    if case.records:
        shown = shown_records(seen)
        assert len(case.records) == len(shown)
        assert list(case.records) == [
            {key: record.get(key) for key in expected} for expected, record in zip(case.records, shown, strict=True)
        ]
    else:
        assert list(case.logs) == seen.logs
    assert list(case.sent) == seen.http.sent_parts(case.sent)
    assert list(case.opened) == seen.http.opened_parts(case.opened)


def test_there_are_enough_cases_and_no_two_of_one_name():
    names = Counter((stem, case.id) for stem, case in CASES)
    assert {} == {name: count for name, count in names.items() if count > 1}
    assert len(CASES) >= LEAST_CASES


def test_every_item_of_section_10_has_a_named_case():
    named = {
        int(number)
        for _, case in CASES
        for item in re.findall(r"items? [\d and]+", case.id)
        for number in re.findall(r"\d+", item)
    }
    assert set() == ITEMS - named


def test_every_lua_version_runs_a_part_of_the_cases():
    counted = Counter(version for _, case in CASES for version in case.luas)
    assert set(ALL_LUAS) == set(counted)
    assert len(CASES) == counted["5.4"]
