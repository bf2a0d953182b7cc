-- memory_cap: lets the cap of a state's memory hold only where running out of it can be caught.
--
-- Run in states that have a cap. Lua raises "not enough memory" wherever an allocation fails; outside Lua code, while
-- lupa hands over arguments or results, nothing catches it and the process would end. So the cap is set when a step
-- has begun, lifted before it ends, and lifted while a native runs.

local host = ...
local native = host.native
local set_cap, lift_cap = native.set_cap, native.lift_cap
local FAILED, find, pcall, type = host.FAILED, string.find, host.raw.pcall, type
local NO_MEMORY = "not enough memory"
local is_inside = false

local function capped_again(...)
   if is_inside then
      set_cap()
   end
   return ...
end

local function uncapped(fn)
   return function(...)
      lift_cap()
      return capped_again(fn(...))
   end
end

host.wrap_natives(uncapped)

local function enter()
   is_inside = true
   set_cap()
end

local function exit()
   is_inside = false
   lift_cap()
end

-- Lua 5.1 and LuaJIT do not collect before they give up: what the failed call left would fail the next one too. The
-- cap holds for finalisers of the script that run then.
local function after_failure(kind, text, ...)
   if kind == FAILED and type(text) == "string" and find(text, NO_MEMORY, 1, true) then
      enter()
      host.collect()
      exit()
   end
   return kind, text, ...
end

local function leave(ok, kind, ...)
   exit()
   if ok then
      return after_failure(kind, ...)
   end
   host.end_running_call()
   return after_failure(FAILED, type(kind) == "string" and kind or NO_MEMORY)
end

local function capped(step)
   return function(...)
      enter()
      return leave(pcall(step, ...))
   end
end

-- Returns nil, or why the script did not compile.
local function capped_compile(compile)
   local function under_cap(...)
      enter()
      return compile(...)
   end
   return function(...)
      local ok, message = pcall(under_cap, ...)
      exit()
      if ok then
         return message
      end
      return type(message) == "string" and message or NO_MEMORY
   end
end

local function lifted_first(break_off)
   return function()
      exit()
      break_off()
   end
end

host.at_end(function()
   host.compile = capped_compile(host.compile)
   host.break_off = lifted_first(host.break_off)
   host.wrap_steps(capped)
end)
