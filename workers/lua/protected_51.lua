-- protected_51: pcall and xpcall through which a call can wait on Lua 5.1, whose own cannot be yielded across.
--
-- Run on Lua 5.1 only. The protected function runs as a coroutine of its own, which coroutine.running() hides.
-- Functions written in C cannot start a coroutine there and cannot wait either: they keep Lua's own pcall.

local host = ...
local raw, made, enter = host.raw, host.made_coroutines, host.enter_coroutine
local create, status, yield, running, getinfo = raw.create, raw.status, raw.yield, raw.running, raw.getinfo
local pcall_raw, xpcall_raw = raw.pcall, xpcall
local globals, setmetatable, type = _G, setmetatable, type

-- Coroutine of a protected call -> the coroutine that the script sees.
local visible = setmetatable({}, { __mode = "kv" })

local run

-- What a yield out of a protected call needs: the values go up to whoever resumed, the answer comes down.
local function settle(co, handler, ok, ...)
   if not ok then
      if handler then
         local _, text = pcall_raw(handler, (...))
         return false, text
      end
      return false, (...)
   end
   if status(co) == "suspended" then
      return run(co, handler, yield(...))
   end
   return true, ...
end

function run(co, handler, ...)
   return settle(co, handler, enter(co, ...))
end

local function start(fn, handler, ...)
   local co, outer = create(fn), running()
   outer = visible[outer] or outer
   visible[co], made[co] = outer, made[outer]
   return run(co, handler, ...)
end

local function is_plain_lua(fn)
   return type(fn) == "function" and running() and getinfo(fn, "S").what ~= "C"
end

function globals.pcall(fn, ...)
   if is_plain_lua(fn) then
      return start(fn, nil, ...)
   end
   return pcall_raw(fn, ...)
end

function globals.xpcall(fn, handler)
   if is_plain_lua(fn) and type(handler) == "function" then
      return start(fn, handler)
   end
   return xpcall_raw(fn, handler)
end

function globals.coroutine.running()
   local co = running()
   return visible[co] or co
end
