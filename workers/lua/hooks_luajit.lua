-- hooks_luajit: lets a hook of a script end with the step in which it was set, and takes away what has no end.
--
-- Run on LuaJIT only, where one hook holds for all coroutines: it would run in the calls of others, who would be blamed
-- for what it does and whose locals it would see.

local host = ...
local sethook, package, jit = host.raw.sethook, package, rawget(_G, "jit")

-- Observers of the compiler and of the profiler run in everybody's calls and see our own functions, by which they reach
-- operations that the script's settings forbid.
jit.attach = nil
for _, name in next, { "jit.util", "jit.profile" } do
   package.preload[name], package.loaded[name] = nil, nil
end

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
