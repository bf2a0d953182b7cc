-- finalisers: runs finalisers of a script (`__gc`) only where the watch can end a worker for them.
--
-- Outside a step (lupa hands over values, a state is closed) and in natives, Python's lock is held: a finaliser that
-- loops there would stop every thread of the process, and on Lua 5.1 to 5.3 its error would end it. So once a script
-- has made a finaliser, the collector stands still at these places, and the last step of a state, host.close, calls
-- what is left of them and takes them away.

local host = ...
local library, io, globals = rawget(_G, "debug"), rawget(_G, "io"), _G
local collectgarbage, error, match, next, pcall, rawget, rawset, sort, tonumber, type =
   collectgarbage, error, string.match, next, host.raw.pcall, rawget, rawset, table.sort, tonumber, type
local FAILED, getmetatable, nesting = host.FAILED, host.raw.getmetatable, host.nesting

-- Lua's own finaliser of files, which waits for what io.popen has started; a script can put another one there.
local file_metatable = getmetatable(io.stdout)
local file_finaliser = rawget(file_metatable, "__gc")

-- Object with a finaliser -> its number. Lua drops an entry only after it has called the finaliser.
local pending = setmetatable({}, { __mode = "k" })
local count = 0
local is_inside = false

-- Has the script told the collector to stand still? That lasts until its next step: Dovecot collects after each call.
local is_stopped = false

local function note(object)
   count = count + 1
   pending[object] = count
end

local function has_finalisers()
   return count > 0 or rawget(file_metatable, "__gc") ~= file_finaliser
end

------------------------------------------------------------------------------------------------------------
-- Natives and steps

local function native_ended(...)
   if is_inside then
      collectgarbage("restart")
   end
   return ...
end

local function without_collector(fn)
   return function(...)
      if has_finalisers() then
         collectgarbage("stop")
         return native_ended(fn(...))
      end
      return fn(...)
   end
end

host.wrap_natives(without_collector)

local function stop()
   is_inside = false
   if has_finalisers() then
      collectgarbage("stop")
   end
end

local function stopped(ok, kind, ...)
   stop()
   if ok then
      return kind, ...
   end
   host.end_running_call()
   return FAILED, type(kind) == "string" and kind or "error in a finaliser"
end

-- For runtime.py: a step ended where nothing of ours caught it, because memory ended there.
function host.break_off()
   stop()
   host.end_running_call()
end

-- For runtime.py, when a step has failed for want of memory.
function host.collect()
   pcall(collectgarbage)
   -- Lua 5.1 goes on by itself after it.
   stop()
end

local function guarded(step)
   return function(...)
      -- A step that breaks off before its call begins must not end the one of the step before.
      nesting.call = false
      if is_stopped or has_finalisers() then
         is_stopped = false
         collectgarbage("restart")
      end
      is_inside = true
      return stopped(pcall(step, ...))
   end
end

------------------------------------------------------------------------------------------------------------
-- Where finalisers come from

-- Passes on what Lua's own function returned, or its error with the place and the name of ours.
local function passed_on(ok, result, ...)
   if ok then
      return result, ...
   end
   if type(result) ~= "string" then
      error(result, 0)
   end
   local index, detail = match(result, "^bad argument #(%d+) to .- %((.*)%)$")
   if index then
      host.bad_argument(tonumber(index), detail)
   end
   error(host.where() .. result, 0)
end
host.passed_on = passed_on

local function noting(object, ...)
   if type(object) == "userdata" then
      note(object)
   end
   return object, ...
end

local setmetatable_raw, debug_setmetatable, newproxy, popen =
   setmetatable, library.setmetatable, rawget(globals, "newproxy"), io.popen

local function setmetatable(...)
   local object, metatable = ...
   if type(object) == "table" and type(metatable) == "table" then
      if rawget(metatable, "__gc") ~= nil then
         note(object)
      end
      if not getmetatable(object) then
         return setmetatable_raw(object, metatable)
      end
   end
   -- No tail call: this frame says by which name it was called.
   local result = passed_on(pcall(setmetatable_raw, ...))
   return result
end

-- What debug.setmetatable builds on (debugging.lua).
function host.setmetatable_of_any(...)
   local object, metatable = ...
   local kind = type(object)
   if (kind == "table" or kind == "userdata") and type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
      note(object)
   end
   return debug_setmetatable(...)
end

------------------------------------------------------------------------------------------------------------
-- The end of a state

local function newest_first(one, other)
   return one.number > other.number
end

-- Lua's order: what was marked last goes first. An error of one is nobody's.
local function call_finalisers()
   local left = {}
   for object, number in next, pending do
      left[#left + 1] = { number = number, object = object }
   end
   sort(left, newest_first)
   for index = 1, #left do
      local metatable = getmetatable(left[index].object)
      pcall(metatable and rawget(metatable, "__gc"), left[index].object)
   end
end

local function take_finalisers_away()
   for object in next, pending do
      local metatable = getmetatable(object)
      if metatable then
         rawset(metatable, "__gc", nil)
      end
   end
   rawset(file_metatable, "__gc", file_finaliser)
end

-- The last step of a state.
function host.close()
   if has_finalisers() then
      call_finalisers()
   end
   return host.DONE, 0
end

-- Called behind it, however it ended; nothing of the script runs any more.
function host.closed()
   if has_finalisers() then
      take_finalisers_away()
   end
end

-- For our own files, whose metatables a script can reach and fill.
function globals.setmetatable(object, metatable)
   if rawget(metatable, "__gc") ~= nil then
      note(object)
   end
   return setmetatable_raw(object, metatable)
end

-- Its metatable is made by Lua and may be filled afterwards.
globals.newproxy = newproxy and function(...)
   return noting(passed_on(pcall(newproxy, ...)))
end

function globals.collectgarbage(...)
   if ... == "stop" then
      is_stopped = true
   end
   -- No tail call: this frame says by which name it was called.
   local result, second = passed_on(pcall(collectgarbage, ...))
   return result, second
end

function io.popen(...)
   return noting(passed_on(pcall(popen, ...)))
end

host.at_end(function()
   globals.setmetatable = setmetatable
   host.wrap_steps(guarded)
end)
