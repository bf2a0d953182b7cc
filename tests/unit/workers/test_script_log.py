import json

import pytest

from dispatcher.protocol.errors import SettingsError
from dispatcher.protocol.settings import LogSettings
from workers.api.record import direct_record
from workers.call_log import CallLog
from workers.lua.runtime import LuaState
from workers.script_log import ScriptLog

SOURCE = b"""
function f()
   dovecot.i_debug("direct")
   dovecot.event():set_name("login"):add_str("user", "joe"):log_debug("of an event")
   dovecot.event():log_info("info")
end
"""


def logged(settings, capsys):
    """Run the script in a state of its own; returns its lines of the worker's log."""
    log = ScriptLog(settings)
    call_log = CallLog(100, 4096, log.write, log.debug_filter)
    state = LuaState("5.4", {**call_log.natives("auth.lua"), "c_modules": False})
    assert not state.compile(SOURCE, b"@auth.lua")
    state.start_main()
    state.start(b"f", [])
    return capsys.readouterr().err.splitlines()


def texts(lines):
    return [line.partition("lualoft(auth.lua): ")[2] for line in lines]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (LogSettings(), ["Debug: direct", "Info: info"]),
        (LogSettings(level="debug"), ["Debug: direct", "Debug: of an event", "Info: info"]),
        (LogSettings(level="warning"), []),
        (LogSettings(debug_filter="event=login"), ["Debug: direct", "Debug: of an event", "Info: info"]),
        (LogSettings(debug_filter="event=login AND user=j*"), ["Debug: direct", "Debug: of an event", "Info: info"]),
        (LogSettings(debug_filter="event=logout"), ["Debug: direct", "Info: info"]),
    ],
    ids=["info", "debug", "warning", "name", "field", "other name"],
)
def test_debug_lines_of_events_are_filtered_and_direct_ones_are_not(settings, expected, capsys):
    assert expected == texts(logged(settings, capsys))


def test_json_lines_name_event_and_fields(capsys):
    lines = [json.loads(line) for line in logged(LogSettings(format="json", level="debug"), capsys)]
    assert ("of an event", "login", "joe", "auth.lua") == (
        lines[1]["message"],
        lines[1]["event"],
        lines[1]["fields"]["user"],
        lines[1]["fields"]["script"],
    )


def test_filter_that_is_none_is_refused_with_the_setting():
    with pytest.raises(SettingsError, match=r"log\.debug_filter"):
        ScriptLog(LogSettings(debug_filter="event="))


def test_bytes_that_are_no_text_are_shown_as_escapes(capsys):
    ScriptLog(LogSettings()).write(direct_record(b"info", b"\xff\x00x"), "s")
    assert "\\xff" in capsys.readouterr().err
