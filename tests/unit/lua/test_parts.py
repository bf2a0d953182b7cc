"""Files that come into a state late trust nothing that the script may have replaced by then."""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state
from workers.http.natives import http_natives
from workers.http.registry import ClientRegistry

pytestmark = pytest.mark.parametrize("version", ALL_LUAS)

#: Replaces every function that a script can reach by name, but for those it goes on with itself.
TRAPS = b"""
local pairs, pcall, tostring, type = pairs, pcall, tostring, type
local function replace_all(place)
   local names = {}
   for name, value in pairs(place) do
      if type(value) == "function" then names[#names + 1] = name end
   end
   for _, name in pairs(names) do
      place[name] = function() trapped = (trapped or "") .. " " .. tostring(name) end
   end
end
function replace()
   local libraries = { string, table, math, coroutine, io, os }
   for _, library in pairs(libraries) do replace_all(library) end
   for name, value in pairs(_G) do
      if type(value) == "function" and name ~= "use" and name ~= "seen" then _G[name] = nil end
   end
   setmetatable, string, table, math, coroutine, io, os, debug, package = nil
end
"""

#: Part -> what has it loaded and used.
USES = {
    "events": b"""
        local event = dovecot.event():set_name("n"):add_str("a", "b"):add_int("c", 5)
        event:log_info("first")
        event:passthrough_event():log_info("second")
        return true
    """,
    "texts": b"""
        return dovecot.tabunescape(dovecot.tabescape("a\\tb")) == "a\\tb"
           and dovecot.split_tabescaped("a\\tb")[2] == "b"
           and dovecot.base64.decode(dovecot.base64.encode("x")) == "x"
    """,
    "blame": b"""
        local ok, text = pcall(dovecot.base64.encode, {})
        return not ok and text == "bad argument #1 to '?' (string expected, got table)" or text
    """,
    "dns": b"return type(dovecot.dns_client()) == (is_userdata and 'userdata' or 'table')",
    "http": b"""
        local request = dovecot.http.client({}):request({ url = "http://localhost/" })
        request:add_header("a", "b")
        request:remove_header("a")
        return type(request.submit) == "function"
    """,
    "dicts": b"""
        local ok, text = pcall(dovecot.dict.open, "users")
        return not ok and text == "dict 'users' is not among the dicts of this script's settings" or text
    """,
}


class _Client:
    """Stands for the worker's side of an HTTP client, which nothing here uses."""

    def close(self) -> None:
        """Let go of nothing."""


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_part_works_after_the_script_has_replaced_all_of_lua(version: str, use: bytes):
    source = (
        b"is_userdata = newproxy ~= nil\n"
        + TRAPS
        + b"function use() "
        + use
        + b" end function seen() return trapped end"
    )
    http = http_natives(ClientRegistry(lambda _settings, _network: _Client()), "2.4")
    state = make_state(source, version, is_dict_allowed=lambda _name: False, **http)
    call(state, function=b"replace")
    used = call(state, function=b"use")
    assert [True] == state.values_of(used, 1000)
    assert [None] == state.values_of(call(state, function=b"seen"), 1000)


def test_part_for_which_there_was_no_memory_is_loaded_by_the_next_call(version: str):
    script = b"""
    local function fill(pieces)
       while true do pieces[#pieces + 1] = ("x"):rep(100) .. #pieces end
    end
    function without_memory()
       local pieces = {}
       pcall(fill, pieces)
       local could_load = pcall(dovecot.event)
       pieces = nil
       collectgarbage()
       return could_load
    end
    function f() return type(dovecot.event():set_name("n")) end
    """
    state = make_state(script, version, 1024 * 1024)
    call(state, function=b"without_memory")
    assert [b"table"] == state.values_of(call(state), 1000)
