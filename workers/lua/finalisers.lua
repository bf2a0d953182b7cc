-- finalisers: lets no error of a script's finaliser (`__gc`) escape on Lua 5.1, 5.2 and 5.3.
--
-- Run on these versions only. There such an error is raised by whatever made the collector run, and while lupa hands
-- over arguments nothing would catch it: the process would end. So once a script has made a finaliser, the collector
-- stands still outside calls. Lua 5.4 and LuaJIT report such errors instead of raising them.

local host = ...
local collectgarbage, rawget, type = collectgarbage, rawget, type
local pcall, FAILED = host.raw.pcall, host.FAILED
local globals, library = _G, rawget(_G, "debug")
local has_finalisers = false

local function notice(metatable)
   if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
      has_finalisers = true
   end
end

local setmetatable_raw, debug_setmetatable, newproxy = setmetatable, library.setmetatable, rawget(_G, "newproxy")

function globals.setmetatable(value, metatable)
   notice(metatable)
   return setmetatable_raw(value, metatable)
end

function library.setmetatable(value, metatable)
   notice(metatable)
   return debug_setmetatable(value, metatable)
end

if newproxy then
   function globals.newproxy(metatable)
      -- A proxy's metatable is made by Lua and filled by the script afterwards.
      has_finalisers = has_finalisers or metatable ~= nil and metatable ~= false
      return newproxy(metatable)
   end
end

local function stopped(ok, kind, ...)
   if has_finalisers then
      collectgarbage("stop")
   end
   if ok then
      return kind, ...
   end
   host.end_running_call()
   return FAILED, type(kind) == "string" and kind or "error in a finaliser"
end

local function guarded(step)
   return function(...)
      if has_finalisers then
         collectgarbage("restart")
      end
      return stopped(pcall(step, ...))
   end
end

host.start, host.resume, host.start_main = guarded(host.start), guarded(host.resume), guarded(host.start_main)
