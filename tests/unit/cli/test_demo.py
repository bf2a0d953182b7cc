import asyncio
import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from dispatcher.cli.demo.result import Verdict, percentile, verdict_of
from dispatcher.protocol.outcome import Outcome, OutcomeKind

DATA = resources.files("dispatcher.cli.demo")
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (OutcomeKind.OK, [1.0, {}], Verdict.OK),
        (OutcomeKind.OK, [0.0], Verdict.PASSWORD_MISMATCH),
        (OutcomeKind.OK, [-3.0], Verdict.USER_UNKNOWN),
        (OutcomeKind.OK, [-1.0], Verdict.FAILURE),
        (OutcomeKind.OK, [], Verdict.FAILURE),
        (OutcomeKind.OK, [b"1"], Verdict.FAILURE),
        (OutcomeKind.SCRIPT_ERROR, [], Verdict.FAILURE),
        (OutcomeKind.UNAVAILABLE, [], Verdict.FAILURE),
    ],
)
def test_verdict_of_an_outcome(kind, values, expected):
    assert expected is verdict_of(Outcome(1, kind, values))


@pytest.mark.parametrize(
    ("times", "share", "expected"),
    [([], 0.5, 0.0), ([7.0], 0.99, 7.0), ([3.0, 1.0, 2.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 99)],
)
def test_percentile_is_the_time_within_which_the_share_was_answered(times, share, expected):
    assert expected == percentile(times, share)


def test_script_that_is_packaged_is_the_shipped_one():
    assert (ROOT / "lua_scripts" / "table_users.lua").read_bytes() == (DATA / "table_users.lua").read_bytes()


def test_attempts_use_made_up_names_and_reserved_addresses_only():
    attempts = [json.loads(line) for line in (DATA / "login_attempts.jsonl").read_text().splitlines()]
    domains = Counter(attempt["args"][0]["user"].rpartition("@")[2].lower() for attempt in attempts)
    networks = Counter(attempt["args"][0]["remote_ip"].rpartition(".")[0] for attempt in attempts)
    assert {"mail.example", "post.example", "box.example.org"} == set(domains)
    assert {"192.0.2", "198.51.100", "203.0.113"} == set(networks)
    assert (4000, 4000) == (len(attempts), len({attempt["id"] for attempt in attempts}))


def test_result_counts_and_times():
    from dispatcher.cli.demo.result import DemoResult

    async def body():
        result = DemoResult()
        future = asyncio.get_running_loop().create_future()
        result.watch(future)
        future.set_result(None)
        await asyncio.wait((future,))
        result.count(Outcome(1, OutcomeKind.OK, [1.0]))
        return result

    result = asyncio.run(body())
    assert (1, {Verdict.OK: 1}) == (result.total, dict(result.verdicts))
    assert 1 == len(result.times_ms)
