"""Replies of another form than their command has are told apart before anybody believes them."""

import pytest

from dispatcher.protocol.redis_reply import Parser
from workers.dict.change import Commit, IncrementChange, SetChange
from workers.dict.commit_script import CommitCall
from workers.dict.redis_route import _direction
from workers.dict.reply_shape import is_page, is_words
from workers.dict.result import ResultKind

COMMIT = Commit((SetChange(b"a", b"1"), IncrementChange(b"b", 1, is_creating=False)))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ([b"OK"], ResultKind.OK),
        ([b"MISSING", b"2"], ResultKind.NOT_FOUND),
        ([b"CHANGED", b"1"], ResultKind.FAILED),
        ([b"NOT_INTEGER", b"2"], ResultKind.FAILED),
    ],
    ids=["ok", "missing", "changed", "no integer"],
)
def test_word_of_the_commit_script_is_a_result(reply, expected):
    assert expected is CommitCall(COMMIT, b"", None, None).result(reply).kind


@pytest.mark.parametrize(
    "reply",
    [[], [b"OK", b"1"], [b"KO"], [b"MISSING"], [b"MISSING", b"0"], [b"MISSING", b"3"], [b"MISSING", b"x"]],
    ids=["empty", "too long", "unknown", "no place", "place 0", "place behind the last", "no number"],
)
def test_anything_else_is_no_result(reply):
    assert CommitCall(COMMIT, b"", None, None).result(reply) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("MOVED 3999 127.0.0.1:6381", (3999, "127.0.0.1", 6381)),
        ("ASK 1 [::1]:1", (1, "[::1]", 1)),
        ("MOVED 1 :6381", (1, "", 6381)),
        ("MOVED 1 h:6381 extra", (1, "h", 6381)),
        ("MOVED", None),
        ("MOVED 1", None),
        ("MOVED x h:1", None),
        ("MOVED 1 h", None),
        ("MOVED 1 h:x", None),
        ("MOVED 1 h:999999", None),
    ],
)
def test_place_that_a_cluster_names(line, expected):
    assert expected == _direction(line)


@pytest.mark.parametrize("line", ["MOVED", "MOVED 1", "ASK x h:1", "MOVED 1 h:x"])
def test_direction_that_leads_nowhere_is_an_error_like_any_other(line):
    assert line == str(Parser.parse_error(line)) or line.endswith(str(Parser.parse_error(line)))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ([b"0", [b"a"]], True),
        ([b"0", []], True),
        ([b"0"], False),
        ([0, []], False),
        ([b"0", [1]], False),
        (b"0", False),
    ],
    ids=["names", "no names", "no list", "number", "number as name", "string"],
)
def test_page_of_a_scan(reply, expected):
    assert expected is is_page(reply)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [([], True), ([b"a"], True), ([b"a", None], False), ({b"a": b"b"}, False), (None, False), (1, False)],
    ids=["empty", "one", "a missing one", "map", "nothing", "number"],
)
def test_list_of_strings(reply, expected):
    assert expected is is_words(reply)
