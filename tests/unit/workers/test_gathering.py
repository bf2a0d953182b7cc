"""When answers go: at once without other work, soon with it, later when a line of hashes is long anyway."""

import pytest

from dispatcher.protocol.outcome import Outcome, OutcomeKind
from workers.gathering import FLUSH_AFTER_S, FLUSH_COMPUTED_AFTER_S, FLUSH_EVERY, LINE_SHARE, Gathering
from workers.work import Answer, TakenChunk

ANSWER = Answer(TakenChunk("replies", [], {}, None), Outcome(1, OutcomeKind.OK))


class Desk:
    """An engine that says how many hashes stand in line and what time it is."""

    def __init__(self):
        self.line = 0
        self.now_s = 0.0
        self.sizes = []
        self.gathering = Gathering(
            lambda answers: self.sizes.append(len(answers)), lambda: self.line, lambda: self.now_s
        )

    def add(self, count=1, *, is_computed=False):
        for _ in range(count):
            self.gathering.add(ANSWER, is_computed=is_computed)


@pytest.fixture
def desk():
    return Desk()


def test_answers_go_when_there_is_nothing_else_to_do(desk):
    desk.add(2)
    assert [] == desk.sizes
    assert desk.gathering.rest() is None
    assert [2] == desk.sizes


def test_nothing_is_delivered_where_nothing_was_answered(desk):
    desk.line = 1
    assert desk.gathering.rest() is None
    desk.gathering.flush()
    assert [] == desk.sizes


@pytest.mark.parametrize(("count", "sizes"), [(FLUSH_EVERY - 1, []), (FLUSH_EVERY, [FLUSH_EVERY])])
def test_many_answers_go_at_once(desk, count, sizes):
    desk.line = 10 * FLUSH_EVERY
    desk.add(count, is_computed=True)
    assert sizes == desk.sizes


@pytest.mark.parametrize(
    ("line", "is_computed", "held_s"),
    [
        pytest.param(1, False, FLUSH_AFTER_S, id="another answer, a short line"),
        pytest.param(100, False, FLUSH_AFTER_S, id="another answer, a long line"),
        pytest.param(LINE_SHARE - 1, True, FLUSH_AFTER_S, id="a hash's answer, a short line"),
        pytest.param(LINE_SHARE, True, FLUSH_COMPUTED_AFTER_S, id="a hash's answer, a line long enough"),
    ],
)
def test_answer_is_held_while_hashes_are_computed(desk, line, is_computed, held_s):
    desk.line = line
    desk.add(is_computed=is_computed)
    assert held_s == pytest.approx(desk.gathering.rest())
    desk.now_s += held_s + 0.001
    assert desk.gathering.rest() is None
    assert [1] == desk.sizes


def test_hashes_answers_are_let_go_when_they_are_many_beside_their_line(desk):
    desk.line = LINE_SHARE * 2
    desk.add(2, is_computed=True)
    desk.now_s += FLUSH_AFTER_S
    assert desk.gathering.rest() > 0
    desk.add(is_computed=True)
    assert [3] == desk.sizes


def test_another_answer_takes_those_of_hashes_along(desk):
    desk.line = 100
    desk.add(is_computed=True)
    desk.now_s += FLUSH_AFTER_S
    desk.add()
    assert [2] == desk.sizes


def test_delivered_answers_hurry_nobody_after_them(desk):
    desk.line = 100
    desk.add()
    desk.gathering.flush()
    desk.add(is_computed=True)
    assert FLUSH_COMPUTED_AFTER_S == pytest.approx(desk.gathering.rest())
