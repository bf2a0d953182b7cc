-- host_globals: keeps the script's globals away from lupa.
--
-- Before each call lupa reads the global `debug` and its field `traceback` outside any protection: a script whose
-- metatables raise there would end the process. So from the end of the set-up on, what Lua itself calls the globals is
-- an empty table, and the script's chunks are given the old one as their environment (sandbox.lua).

local host = ...
local globals, collectgarbage, error, type = _G, collectgarbage, error, type
local registry, setfenv_raw, set_thread_globals =
   debug.getregistry(), rawget(_G, "setfenv"), rawget(debug, "setfenv")
local create, running = host.raw.create, host.raw.running

-- Lua's LUA_RIDX_GLOBALS.
local GLOBALS_INDEX = 2

-- Lua 5.1 and LuaJIT keep the globals per coroutine, which inherits them from the one that makes it. Calls are made by
-- the main one, so theirs are set; and a finaliser of the script that runs there must not set the main one's.
if setfenv_raw then
   function host.raw.create(fn)
      local co = create(fn)
      set_thread_globals(co, globals)
      return co
   end

   function globals.setfenv(target, environment)
      if target == 0 and not running() then
         error("'setfenv' cannot change environment of given object", 2)
      end
      if type(target) == "number" and target > 0 then
         target = target + 1
      end
      local result = setfenv_raw(target, environment)
      return result
   end
end

-- Registered first and so done last.
host.at_end(function()
   if setfenv_raw then
      setfenv_raw(0, {})
   else
      registry[GLOBALS_INDEX] = {}
   end
   collectgarbage()
end)
