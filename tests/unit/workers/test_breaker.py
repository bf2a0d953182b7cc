import pytest

from dispatcher.protocol.invocation import SCHEMA_VERSION, ScriptPackage
from dispatcher.protocol.outcome import OutcomeKind
from workers.breaker import Breaker

PACKAGE = ScriptPackage(SCHEMA_VERSION, "auth.lua", "file", b"", "2.4", "5.4", {}, 0)
SCRIPT, OTHER = b"\1" * 32, b"\2" * 32
MAX_HITS = 3


@pytest.fixture
def breaker():
    return Breaker(MAX_HITS, pause_s=2.0)


def end(breaker, kind, count):
    for _ in range(count):
        breaker.note(SCRIPT, PACKAGE, kind)


@pytest.mark.parametrize("kind", [OutcomeKind.CPU_LIMIT, OutcomeKind.MEMORY_LIMIT])
@pytest.mark.parametrize(("hits", "is_parked"), [(0, False), (1, False), (MAX_HITS - 1, False), (MAX_HITS, True)])
def test_script_is_parked_at_so_many_hits(breaker, kind, hits, is_parked):
    end(breaker, kind, hits)
    assert is_parked == (breaker.left_s(SCRIPT) > 0)
    assert 0 == breaker.left_s(OTHER)


def test_a_few_bad_calls_among_many_good_ones_park_nothing(breaker):
    end(breaker, OutcomeKind.CPU_LIMIT, 1)
    end(breaker, OutcomeKind.OK, 20)
    end(breaker, OutcomeKind.CPU_LIMIT, 10)
    assert 0 == breaker.left_s(SCRIPT)


@pytest.mark.parametrize("kind", [OutcomeKind.OK, OutcomeKind.SCRIPT_ERROR, OutcomeKind.DEADLINE_EXCEEDED])
def test_other_ends_are_no_hits(breaker, kind):
    end(breaker, kind, 100)
    assert 0 == breaker.left_s(SCRIPT)


@pytest.mark.parametrize(
    ("share", "calls", "is_parked"),
    [
        pytest.param(0.9, MAX_HITS - 1, False, id="one less"),
        pytest.param(0.9, MAX_HITS, True, id="as many as hits"),
        pytest.param(0.5, MAX_HITS, True, id="half of its time"),
        pytest.param(0.25, 2 * MAX_HITS - 1, False, id="a quarter of it, one less than twice as many"),
        pytest.param(0.25, 2 * MAX_HITS, True, id="a quarter of it, twice as many"),
        pytest.param(0.1, 6 * MAX_HITS, True, id="the smallest part that counts"),
        pytest.param(0.09, 1000, False, id="hardly begun"),
        pytest.param(0.0, 1000, False, id="not begun"),
    ],
)
def test_calls_that_computed_at_their_deadline_are_hits_by_what_they_used(breaker, share, calls, is_parked):
    for _ in range(calls):
        breaker.note_overdue(SCRIPT, PACKAGE, share)
        breaker.note(SCRIPT, PACKAGE, OutcomeKind.DEADLINE_EXCEEDED)
    assert is_parked == (breaker.left_s(SCRIPT) > 0)


def test_calls_of_one_deadline_park_once(breaker):
    for _ in range(10 * MAX_HITS):
        breaker.note_overdue(SCRIPT, PACKAGE, 1.0)
    assert 0 < breaker.left_s(SCRIPT) <= 2


def test_calls_that_computed_at_their_deadline_among_more_good_ones_park_nothing(breaker):
    breaker.note_overdue(SCRIPT, PACKAGE, 1.0)
    end(breaker, OutcomeKind.OK, 20)
    for _ in range(10):
        breaker.note_overdue(SCRIPT, PACKAGE, 1.0)
    assert 0 == breaker.left_s(SCRIPT)


def test_pause_doubles_up_to_its_maximum(breaker):
    pauses = []
    for _ in range(8):
        end(breaker, OutcomeKind.CPU_LIMIT, MAX_HITS)
        pauses.append(round(breaker.left_s(SCRIPT)))
    assert [2, 4, 8, 16, 32, 60, 60, 60] == pauses


def test_call_that_cost_its_worker_parks_at_once_and_briefly(breaker):
    breaker.note_stuck(SCRIPT, PACKAGE)
    assert 0 < breaker.left_s(SCRIPT) <= 0.5


def test_no_limit_parks_nothing():
    breaker = Breaker(0, pause_s=2.0)
    end(breaker, OutcomeKind.CPU_LIMIT, 1000)
    breaker.note_stuck(SCRIPT, PACKAGE)
    assert 0 == breaker.left_s(SCRIPT)


def test_news_is_news_until_it_was_told(breaker):
    end(breaker, OutcomeKind.CPU_LIMIT, MAX_HITS)
    news = breaker.news()
    assert [SCRIPT] == list(news)
    breaker.note_told(news)
    assert {} == breaker.news()


def test_what_was_parked_again_meanwhile_is_news_still(breaker):
    end(breaker, OutcomeKind.CPU_LIMIT, MAX_HITS)
    news = breaker.news()
    end(breaker, OutcomeKind.CPU_LIMIT, MAX_HITS)
    breaker.note_told(news)
    assert [4.0] == [parked.pause_s for parked in breaker.news().values()]
