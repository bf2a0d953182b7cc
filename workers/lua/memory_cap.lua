-- memory_cap: lets the cap of a state's memory hold only where running out of it can be caught.
--
-- Run in states that have a cap. Lua raises "not enough memory" wherever an allocation fails; outside Lua code, while
-- lupa hands over arguments or results, nothing catches it and the process would end. So the cap is set when a step
-- has begun, lifted before it ends, and lifted while a native runs.

local host = ...
local native = host.native
local set_cap, lift_cap = native.set_cap, native.lift_cap
local FAILED, pcall, type = host.FAILED, host.raw.pcall, type
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

local function leave(ok, kind, ...)
   exit()
   if ok then
      return kind, ...
   end
   host.end_running_call()
   return FAILED, type(kind) == "string" and kind or NO_MEMORY
end

local function capped(step)
   return function(...)
      -- As in finalisers.lua: memory may end on the way there.
      host.nesting.call = false
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

-- Finalisers of the script may run: the cap holds for them.
local function capped_collect(collect)
   return function()
      enter()
      collect()
      exit()
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
   host.collect = capped_collect(host.collect)
   host.break_off = lifted_first(host.break_off)
   host.wrap_steps(capped)
end)
