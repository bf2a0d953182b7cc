"""Modules that only compute: every row of cases/*.toml, on every Lua version."""

from __future__ import annotations

import pytest

from tests.conformance.modules.harness import HERE, Case, attempt, load_cases

CASES = [
    pytest.param(case, id=f"{path.stem} | {case.id}")
    for path in sorted((HERE / "cases").glob("*.toml"))
    for case in load_cases(path.stem)
]


@pytest.mark.parametrize("case", CASES)
def test_module_gives_what_the_row_says(case: Case):
    assert case.expected == attempt(case)
