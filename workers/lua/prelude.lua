-- prelude: the first code of every Lua state; makes the table `host` that all our other Lua files build on.
--
-- workers/lua/runtime.py runs it with the table `native` (Python functions and flags), then the files of
-- workers/lua/host_files.py with `host`, then the script. A script never sees `host`, `native` or anything of `raw`:
-- they are reached through upvalues of our functions only, and debug.lua keeps those closed.

local native = ...
local next, rawget, sub, type = next, rawget, string.sub, type
local getinfo = debug.getinfo

-- How a function or frame of ours is told from one of the script: by the start of its chunk name, or by having none
-- (bytecode.lua). A script that takes such a name for a chunk of its own hides it from itself and from nobody else.
local OUR_SOURCE, STRIPPED = "=[lualoft ", "=?"

local host = {
   native = native,

   -- Step functions of hosts (workers/auth) that Python calls by name.
   exports = {},

   -- What a step returns to Python first; the same numbers stand in runtime.py.
   DONE = 0,
   FAILED = 1,
   NO_FUNCTION = 2,
   PARKED = 3,

   -- Lua's own functions, taken before anything is replaced: scripts may replace every global.
   raw = {
      load = load,
      loadstring = rawget(_G, "loadstring"),
      open = io.open,
      create = coroutine.create,
      resume = coroutine.resume,
      yield = coroutine.yield,
      status = coroutine.status,
      running = coroutine.running,
      close = coroutine.close,
      isyieldable = coroutine.isyieldable,
      pcall = pcall,
      getinfo = getinfo,
      getmetatable = debug.getmetatable,
      sethook = debug.sethook,
      traceback = debug.traceback,
   },
}

local wrappers = {}

local function wrapped(value)
   if type(value) == "userdata" then
      for index = 1, #wrappers do
         value = wrappers[index](value)
      end
   end
   return value
end

-- Flags are there from the beginning. A function comes over from Python when one of our files first takes it.
setmetatable(native, {
   __index = function(_, name)
      local value = wrapped(rawget(native, "late")(name))
      native[name] = value
      return value
   end,
})

-- Puts `wrap` around all functions of `native`, those that come later too.
function host.wrap_natives(wrap)
   wrappers[#wrappers + 1] = wrap
   for name, value in next, native do
      if type(value) == "userdata" or type(value) == "function" then
         native[name] = wrap(value)
      end
   end
end

-- Is this text the `source` of code of ours?
function host.is_our_source(source)
   return source == STRIPPED or sub(source, 1, #OUR_SOURCE) == OUR_SOURCE
end

-- Is it a Lua function of ours? Its upvalues and locals are no business of the script's.
function host.is_our_function(fn)
   return type(fn) == "function" and host.is_our_source(getinfo(fn, "S").source)
end

local finishers = {}

-- Has `finisher` called when all our files have run, the one registered first as the last.
function host.at_end(finisher)
   finishers[#finishers + 1] = finisher
end

-- Called by runtime.py.
function host.finish()
   for index = #finishers, 1, -1 do
      finishers[index]()
   end
end

-- Functions of `host` in which code of the script may run; those of `exports` are such too.
local STEPS = { "start", "start_with_objects", "start_main", "resume", "cancel", "close" }

-- Puts `wrap` around all of them; for a finisher, as they have been taken into locals before.
function host.wrap_steps(wrap)
   for index = 1, #STEPS do
      host[STEPS[index]] = wrap(host[STEPS[index]])
   end
   for name, export in next, host.exports do
      host.exports[name] = wrap(export)
   end
end

-- lupa's objects: a script meets one only as the error of a native, and none ever raises; it stays shut all the same.
host.python_metatable = debug.getmetatable(native.log)
host.python_metatable.__metatable = false

-- lupa's table leads to Python.
rawset(_G, "python", nil)
package.loaded.python = nil

return host
