-- hooks_luajit: lets a hook of a script end with the step in which it was set.
--
-- Run on LuaJIT only, where one hook holds for all coroutines: it would run in the calls of others, who would be blamed
-- for what it does and whose locals it would see.

local host = ...
local sethook = host.raw.sethook

local function unhooked(...)
   sethook()
   return ...
end

host.at_end(function()
   host.wrap_steps(function(step)
      return function(...)
         return unhooked(step(...))
      end
   end)
end)
