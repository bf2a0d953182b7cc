"""Calls of one script share its globals; what one leaves behind does not bring it the locals of another.

A call waits with a secret; another one attacks; then two more come with secrets, one of which fails. Not looked at are
functions that a call puts in the place of global ones (whoever calls them hands over what he hands over) and finalisers
that run while another call computes.
"""

from __future__ import annotations

import pytest

from tests.unit.lua.states import ALL_LUAS, call, make_state
from workers.lua.runtime import StepKind

#: `keep(values…)` looks through everything that can be reached from the values and notes strings with the secret.
SCRIPT = b"""
local debug, find, getfenv, getmetatable, next, pcall, select, type =
   debug, string.find, getfenv, debug.getmetatable, next, pcall, select, type
local getlocal, getupvalue, getuservalue = debug.getlocal, debug.getupvalue, debug.getuservalue
local seen, found = {}, 0

local look
local function look_into_frames(thread)
   for level = 0, 20 do
      for index = -5, 20 do
         local ok, _, value = pcall(getlocal, thread, level, index)
         if ok then look(value) end
      end
   end
end

function look(value)
   local kind = type(value)
   if kind == "string" and find(value, "s3[c]ret") then found = found + 1 end
   if value == nil or seen[value] or kind == "string" or kind == "number" or kind == "boolean" then return end
   seen[value] = true
   look(getmetatable(value))
   if kind == "table" then
      for key, item in next, value do look(key) look(item) end
   elseif kind == "function" then
      for index = 1, 100 do
         local _, item = getupvalue(value, index)
         look(item)
      end
      if getfenv then look(getfenv(value)) end
   elseif kind == "thread" then
      look_into_frames(value)
   elseif getuservalue then
      look((getuservalue(value)))
   end
end

function keep(...)
   for index = 1, select("#", ...) do look((select(index, ...))) end
end

-- Everything that can be seen from where it is called.
function keep_frames()
   for level = 1, 30 do
      for index = -5, 30 do
         local ok, _, value = pcall(getlocal, level, index)
         if ok then look(value) end
      end
      local ok, info = pcall(debug.getinfo, level, "fS")
      if ok then look(info) end
   end
end

function victim(password)
   local mine = password .. password
   dovecot.wait("x")
   return #mine
end
function failing_victim(password)
   local mine = { password }
   error(#mine)
end
function found_count() return found end
"""

ATTACKS = {
    "registry": b"keep(debug.getregistry())",
    "globals": b"keep(_G, package.loaded, dovecot, debug.getmetatable(dovecot), debug.getmetatable(''))",
    "own frames": b"keep_frames() keep(coroutine.running())",
    "frames of a coroutine": b"coroutine.wrap(function() keep_frames() keep(coroutine.running()) end)()",
    "traceback": b"keep(debug.traceback('', 0)) keep(coroutine.wrap(function() return debug.traceback('', 0) end)())",
    "a hook that stays": b"debug.sethook(keep_frames, 'crl', 1)",
    "a finaliser that sets a hook": b"""
        local object = newproxy and newproxy(true) or nil
        local function gc() keep_frames() debug.sethook(keep_frames, 'crl', 1) end
        if object then debug.getmetatable(object).__gc = gc else object = setmetatable({}, { __gc = gc }) end
        object = nil
        collectgarbage()""",
    "a traceback function": b"debug.traceback = function(...) keep(...) keep_frames() return 'x' end",
    "functions of ours replaced": b"""
        for _, library in next, { _G, coroutine, string, debug, table } do
           for name, fn in next, library do
              if type(fn) == 'function' and name ~= 'victim' and name ~= 'failing_victim' and name ~= 'found_count' then
                 library[name] = function(...) keep(...) return fn(...) end
              end
           end
        end""",
    "metatable of strings": b"""
        local metatable = debug.getmetatable('')
        metatable.__index, metatable.__len, metatable.__eq = keep, keep, keep""",
    "metatable of functions": b"debug.setmetatable(keep, { __call = keep, __index = keep, __gc = keep })",
    "metatable of nil": b"debug.setmetatable(nil, { __call = keep, __index = keep })",
    "metatable of the globals": b"setmetatable(_G, { __index = keep, __newindex = keep, __call = keep })",
}


def _waiting(state, password: bytes):
    step = state.start(b"victim", [password])
    assert step[0] == StepKind.PARKED
    return step[1]


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_secrets_of_other_calls_are_out_of_reach(version: str, attack: bytes):
    state = make_state(SCRIPT + b"function attack() %s\nend" % attack, version)
    first = _waiting(state, b"s3cret-1")
    assert call(state, function=b"attack")[0] == StepKind.DONE
    second = _waiting(state, b"s3cret-22")
    assert call(state, b"s3cret-333", function=b"failing_victim")[0] == StepKind.FAILED
    assert (StepKind.DONE, 1, 16) == state.resume(first, ())
    assert (StepKind.DONE, 1, 18) == state.resume(second, ())
    assert (StepKind.DONE, 1, 0) == call(state, function=b"found_count")


@pytest.mark.parametrize("version", ALL_LUAS)
def test_what_a_script_puts_within_reach_is_found(version: str):
    """The search is no blind one."""
    script = SCRIPT + b"function show(p) local function inner() return p end keep({ { inner } }) end"
    state = make_state(script, version)
    call(state, b"s3cret", function=b"show")
    assert (StepKind.DONE, 1, 1) == call(state, function=b"found_count")


@pytest.mark.parametrize("version", ALL_LUAS)
@pytest.mark.parametrize(
    "attack",
    [
        b"coroutine.resume(waiting, 'forged')",
        b"pcall(coroutine.close or error, waiting)",
        b"coroutine.wrap(function() return coroutine.resume(waiting, 'forged') end)()",
    ],
)
def test_a_call_that_waits_is_resumed_by_nobody_else(version: str, attack: bytes):
    script = (
        b"""
    function victim() waiting = coroutine.running() return dovecot.wait("x") end
    function attack() local ok = %s return ok, coroutine.status(waiting) end"""
        % attack
    )
    state = make_state(script, version)
    waiting = state.start(b"victim", [])[1]
    assert (StepKind.DONE, 2, False, b"normal") == call(state, function=b"attack")
    assert (StepKind.DONE, 1, b"true result") == state.resume(waiting, (b"true result",))
