-- debugging: the library `debug`, with our own functions as closed to it as functions written in C.
--
-- A part. Upvalues and locals of our functions lead to the natives and so to Python;
-- every function of `debug` that hands them out is replaced here. Frames of C functions are closed too: a hook could
-- read a native from the arguments of the call that it interrupts.

local host = ...
local made, package, raw = host.made, host.package, host.raw_debug
local is_our_function, getinfo = host.is_our_function, host.raw.getinfo
local getupvalue, setupvalue, upvalueid, upvaluejoin, getlocal, setlocal =
   raw.getupvalue, raw.setupvalue, raw.upvalueid, raw.upvaluejoin, raw.getlocal, raw.setlocal
local getmetatable, setmetatable, python_metatable = raw.getmetatable, host.setmetatable_of_any, host.python_metatable
local error, next, pcall, rawequal, rawget, tonumber, type =
   error, next, host.raw.pcall, rawequal, rawget, tonumber, type
local file_metatable = host.file_metatable

function made.debug_getupvalue(fn, index)
   if not is_our_function(fn) then
      return getupvalue(fn, index)
   end
end

function made.debug_setupvalue(fn, index, value)
   if not is_our_function(fn) then
      return setupvalue(fn, index, value)
   end
end

if upvalueid then
   function made.debug_upvalueid(fn, index)
      if is_our_function(fn) then
         return nil
      end
      return upvalueid(fn, index)
   end

   function made.debug_upvaluejoin(fn, index, other, other_index)
      if is_our_function(fn) or is_our_function(other) then
         error("bad argument #2 to 'upvaluejoin' (invalid upvalue index)", 3)
      end
      return upvaluejoin(fn, index, other, other_index)
   end
end

local function is_closed_frame(info)
   return info and (info.what == "C" or is_our_function(info.func))
end

-- Levels count from the caller's view: each of these functions and its stand-in are between it and Lua's own.
function made.debug_getlocal(thread, level, index)
   if type(thread) == "thread" then
      if type(level) ~= "function" and is_closed_frame(getinfo(thread, level, "Sf")) then
         return nil
      end
      return getlocal(thread, level, index)
   end
   level, index = thread, level
   if type(level) == "function" then
      return getlocal(level, index)
   end
   if is_closed_frame(getinfo(level + 2, "Sf")) then
      return nil
   end
   -- No tail call: it would take this frame out of the count.
   local name, value = getlocal(level + 2, index)
   return name, value
end

function made.debug_setlocal(thread, level, index, value)
   if type(thread) == "thread" then
      if is_closed_frame(getinfo(thread, level, "Sf")) then
         return nil
      end
      return setlocal(thread, level, index, value)
   end
   level, index, value = thread, level, index
   if is_closed_frame(getinfo(level + 2, "Sf")) then
      return nil
   end
   local name = setlocal(level + 2, index, value)
   return name
end

-- C functions that scripts find in libraries; nil until somebody asks. The others are ours to call, or were replaced.
local found

local function find_functions(place)
   for _, value in next, place do
      if type(value) == "function" then
         found[value] = true
      end
   end
end

local function is_of_a_library(fn)
   if not found then
      found = {}
      for _, library in next, package.loaded do
         if type(library) == "table" then
            find_functions(library)
         end
      end
      find_functions(rawget(file_metatable, "__index"))
   end
   return found[fn]
end

local function is_closed_function(fn)
   return is_our_function(fn) or (getinfo(fn, "S").what == "C" and not is_of_a_library(fn))
end

-- What a frame says, its function left out where that is ours or was replaced: called by a script, it would lead to
-- operations that the script's settings forbid. Levels: pcall stands between, too.
function made.debug_getinfo(thread, level, what)
   local info
   if type(thread) == "thread" then
      info = host.passed_on(pcall(getinfo, thread, level, what))
   else
      level, what = thread, level
      local number = type(level) ~= "function" and tonumber(level)
      info = host.passed_on(pcall(getinfo, number and number >= 0 and number + 3 or level, what))
   end
   if info and info.func and type(level) ~= "function" and is_closed_function(info.func) then
      info.func = nil
   end
   return info
end

-- Through the metatable of lupa's objects a script could make a Python object of something that is none.
function made.debug_getmetatable(value)
   local metatable = getmetatable(value)
   if not rawequal(metatable, python_metatable) then
      return metatable
   end
end

function made.debug_setmetatable(value, metatable)
   -- A coroutine's: calls.lua believes what tostring says of one.
   if rawequal(getmetatable(value), python_metatable) or type(value) == "thread" then
      error("cannot change a protected metatable", 3)
   end
   return setmetatable(value, metatable)
end

-- The real registry holds what lupa keeps there. Scripts look for these entries, if for any.
function made.debug_getregistry()
   return { _LOADED = package.loaded, _PRELOAD = package.preload, ["FILE*"] = file_metatable }
end

function made.debug_debug()
   error("debug.debug() would wait for a console and is not available", 0)
end
