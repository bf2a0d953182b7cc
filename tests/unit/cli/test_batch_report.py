from collections import Counter

import pytest

from dispatcher.cli.batch_report import exit_code, summary
from dispatcher.protocol.outcome import OutcomeKind


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], 0),
        ([OutcomeKind.OK], 0),
        ([OutcomeKind.OK, OutcomeKind.SCRIPT_ERROR], 1),
        ([OutcomeKind.OK, OutcomeKind.WORKER_LOST], 75),
        ([OutcomeKind.SCRIPT_ERROR, OutcomeKind.DEADLINE_EXCEEDED], 75),
    ],
)
def test_exit_code_of_a_batch(kinds, expected):
    assert expected == exit_code(Counter(kinds))


def test_summary_has_counts_by_outcome_and_rate():
    counts = Counter({OutcomeKind.OK: 2990, OutcomeKind.REJECTED: 10})
    assert "3,000 lines in 2.0 s, 1,500/s: 2,990 ok, 10 rejected" == summary(counts, 2.0)


def test_summary_of_nothing():
    assert "0 lines in 0.0 s, 0/s" == summary(Counter(), 0.0)
