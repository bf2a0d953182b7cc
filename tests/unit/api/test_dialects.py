"""The table of dialects against the conformance cases: each row has one, each case's name is a row."""

from __future__ import annotations

import pytest

from tests.conformance.harness import load_cases
from workers.api.dialects import ABSENT, DIALECTS, TABLE

CASES_23 = [case for _, case in load_cases() if case.dialect == "2.3"]


def test_no_subject_stands_twice():
    assert len(TABLE) == len({row.subject for row in TABLE})


@pytest.mark.parametrize("row", [row for row in TABLE if row.in_23 == ABSENT], ids=lambda row: row.subject)
def test_each_absent_name_has_a_case(row):
    request = 'dovecot.http.client({}):request({ url = "http://h/" }).'
    if row.subject.startswith("http_request:"):
        fragment = row.subject.replace("http_request:", request)
    else:
        fragment = row.subject.replace("event:", "dovecot.event().")
    assert [f"2.3 does not have: {fragment}"] == [case.id for case in CASES_23 if case.id.endswith(fragment)]


@pytest.mark.parametrize("subject", ["script_init argument", "script_init result"])
def test_each_rule_has_cases(subject):
    assert subject in {row.subject for row in TABLE}
    assert any("script_init" in case.id for case in CASES_23)


def test_the_lines_differ_as_the_table_says():
    assert not DIALECTS["2.4"].absent_names
    assert {row.subject for row in TABLE if row.in_23 == ABSENT} == set(DIALECTS["2.3"].absent_names)
