"""Which debug lines a filter wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lua.states import call, make_state
from workers.api.event_filter import EventFilterError, make_wants_debug, parse_filter
from workers.api.record import LogContext, SentEvent, event_record

CONTEXT = LogContext(b"s.lua", b"", (b"auth",), {b"user": b"bob"})
RECORD = event_record(
    CONTEXT, SentEvent(b"debug", None, b"x", b"lookup", b"@s.lua", 3, is_source_wanted=False, packed_fields=b"n\0i5")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event=lookup", True),
        ("event=LOOKUP", True),
        ("event=other", False),
        ("event=look*", True),
        ("event=looku?", True),
        ("category=lua", True),
        ("category=auth", True),
        ("category=mail", False),
        ("source_location=@s.lua", True),
        ("source_location=@s.lua:3", True),
        ("source_location=@s.lua:4", False),
        ("user=bob", True),
        ("user=alice", False),
        ("n=5", True),
        ("nosuch=*", False),
        ("script=s.lua", True),
        ("event=lookup AND user=alice", False),
        ("event=lookup OR user=alice", True),
        ("event=other or user=bob", True),
        ("NOT event=other", True),
        ("NOT event=lookup", False),
        ("event=lookup AND (user=alice OR user=bob)", True),
        ("event=other AND user=alice OR user=bob", True),
        ("NOT (event=lookup AND user=bob)", False),
        ('user="bob"', True),
        ('user="b o b"', False),
        ("user=[b]ob", False),
    ],
)
def test_a_filter_matches(text, expected):
    assert expected == parse_filter(text)(RECORD)


@pytest.mark.parametrize(
    "text", ["", "event", "event=", "=x", "(event=x", "event=x)", "event=x user=y", 'a="b', "AND", "NOT"]
)
def test_what_is_no_filter_is_refused(text):
    with pytest.raises(EventFilterError):
        parse_filter(text)


@given(st.text())
def test_any_text_is_a_filter_or_refused(text):
    try:
        wanted = parse_filter(text)
    except EventFilterError:
        return
    assert wanted(RECORD) in {True, False}


def test_events_ask_the_filter():
    logged = []
    script = b"""
    function f()
       dovecot.event():set_name("lookup"):log_debug("wanted")
       dovecot.event():set_name("other"):log_debug("not wanted")
       dovecot.event():log_debug("nameless")
    end"""
    wants_debug = make_wants_debug(parse_filter("event=lookup"), CONTEXT)
    state = make_state(script, log=lambda _level, text: logged.append(text), wants_debug=wants_debug)
    call(state)
    assert [b"wanted"] == logged
