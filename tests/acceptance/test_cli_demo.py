import json
from importlib import resources

import pytest

DATA = resources.files("dispatcher.cli.demo")


@pytest.fixture
def attempts():
    return [json.loads(line) for line in (DATA / "login_attempts.jsonl").read_text().splitlines()]


def expected_verdict(attempt, users):
    request, password = attempt["args"]
    if request["user"].lower() not in users:
        return -3.0
    return float(users[request["user"].lower()] == "{PLAIN}" + password)


def test_demo_checks_every_attempt_and_says_where_the_outcomes_are(lualoft, tmp_path, attempts):
    path = tmp_path / "demo.jsonl"
    result = lualoft("demo", "-o", path)
    assert 0 == result.code
    assert f"outcomes: {path}\n" in result.out
    rows = (DATA / "users.csv").read_text().splitlines()
    users = dict(row.split(",", 1) for row in rows[1:])
    expected = [(attempt["id"], expected_verdict(attempt, users)) for attempt in attempts]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert expected == [(line["id"], line["values"][0]) for line in found]
    facts = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in result.out.splitlines()}
    assert ("4,000", "0") == (facts["attempts"], facts["failure"])
    assert f"{sum(code == 1 for _, code in expected):,}" == facts["ok"]
    shown = path.read_text() + result.out + result.err
    assert [] == [password for _, password in (attempt["args"] for attempt in attempts) if password in shown]


def test_demo_does_not_overwrite_unless_told(lualoft, write):
    path = write("precious", "x")
    assert 2 == lualoft("demo", "-o", path).code
    assert "x" == path.read_text()
