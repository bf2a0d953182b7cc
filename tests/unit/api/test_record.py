"""Log records, and how they are written."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from workers.api.record import LogContext, SentEvent, Timestamp, direct_record, event_record
from workers.log_sink import json_line, text_lines

CONTEXT = LogContext(b"s.lua", b"host: ", (b"auth",), {b"user": b"bob"})


def _sent(text=b"x", **changes):
    sent = SentEvent(b"info", None, text, None, b"@s.lua", 3, is_source_wanted=False, packed_fields=None)
    return sent._replace(**changes)


def test_a_record_stands_below_host_and_script():
    record = event_record(CONTEXT, _sent())
    assert (b"host: x", (b"auth", b"lua")) == (record.text, record.categories)
    assert {b"user": b"bob", b"script": b"s.lua"} == record.fields


def test_a_replaced_prefix_discards_the_hosts():
    record = event_record(CONTEXT, _sent(head=b"mine: "))
    assert (b"mine: ", b"x", b"mine: x") == (record.head, record.text, record.message)


def test_packed_fields_are_text_integers_and_times():
    packed = b"a\0sx\0b\0i-5\0c\0t7\0user\0s"
    assert {b"script": b"s.lua", b"a": b"x", b"b": -5, b"c": Timestamp(7)} == event_record(
        CONTEXT, _sent(packed_fields=packed)
    ).fields


def test_a_field_of_the_empty_name_is_a_field():
    assert b"v" == event_record(CONTEXT, _sent(packed_fields=b"\0sv")).fields[b""]


def test_text_has_timestamp_prefix_and_level_in_front():
    record = event_record(CONTEXT, _sent(b"a\nb"))
    assert ["T lualoft: Info: host: a", "T lualoft: Info: b"] == text_lines(record, "lualoft: ", "T ")


def test_a_replaced_prefix_stands_before_the_level_in_place_of_the_process_prefix():
    assert ["T mine: Info: x"] == text_lines(event_record(CONTEXT, _sent(head=b"mine: ")), "lualoft: ", "T ")


def test_an_empty_replacement_leaves_the_level_first():
    assert ["Info: x"] == text_lines(event_record(CONTEXT, _sent(head=b"")), "lualoft: ")


def test_a_direct_line_is_text_and_level_in_json():
    assert {"level": "debug", "message": "x"} == json.loads(json_line(direct_record(b"debug", b"x")))


def test_json_shows_everything_there_is():
    record = event_record(CONTEXT, _sent(name=b"n", packed_fields=b"t\0t7"))
    assert {
        "time": 1.5,
        "level": "info",
        "message": "host: x",
        "event": "n",
        "categories": ["auth", "lua"],
        "fields": {"user": "bob", "script": "s.lua", "t": {"unix_s": 7}},
        "source": {"file": "@s.lua", "line": 3},
    } == json.loads(json_line(record, 1.5))


@given(st.binary(), st.binary())
def test_any_bytes_make_one_line_of_json(text, name):
    line = json_line(event_record(CONTEXT, _sent(text, name=name, head=text)))
    assert "\n" not in line
    assert isinstance(json.loads(line), dict)


@given(st.binary())
def test_any_bytes_make_as_many_lines_of_text_as_they_have(text):
    assert text.count(b"\n") + 1 == len(text_lines(direct_record(b"info", text)))
