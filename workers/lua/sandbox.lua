-- sandbox: what a script may load and end, so that it cannot crash the worker or reach into it.
--
-- Byte code is refused everywhere: it can crash any Lua. C modules and LuaJIT's ffi are out unless the native flag
-- `c_modules` is set, and os.exit ends the call instead of the process.

local host = ...
local native, raw = host.native, host.raw
local load_raw, loadstring_raw, setfenv_raw = raw.load, raw.loadstring, rawget(_G, "setfenv")
local concat, error, find, pcall, select, sub, type =
   table.concat, error, string.find, pcall, select, string.sub, type
local globals, os, package = _G, rawget(_G, "os"), rawget(_G, "package")
local is_restricted = native.profile == "restricted"

-- Lua's own words for it.
local BINARY_REFUSED = "attempt to load a binary chunk (mode is 't')"
local C_MODULES_OFF = "\n\tC modules are switched off: set c_modules = true in the [lua] section to allow them"

-- Lua 5.5 starts with warnings on: a failing finaliser would write to the worker's standard error.
if rawget(globals, "warn") then
   rawget(globals, "warn")("@off")
end

os.exit = function()
   error("os.exit() would end the worker and is not available: return or call error() instead", 0)
end

-- Compiles text under a chunk name; returns the function, or nil and Lua's message. `environment` may be left out.
-- Lua's own default is not the script's _G (host_globals.lua), so one is always set.
local function compile(text, chunk_name, environment)
   if sub(text, 1, 1) == "\27" then
      return nil, BINARY_REFUSED
   end
   if not native.is_lua51 then
      return load_raw(text, chunk_name, "t", environment or globals)
   end
   local chunk, message = loadstring_raw(text, chunk_name)
   return chunk and setfenv_raw(chunk, environment or globals), message
end
host.compile_text = compile

------------------------------------------------------------------------------------------------------------
-- load, loadstring

-- Lua 5.1 knows no mode: a reader function is drained first so that its first byte can be seen.
local function drained(reader)
   local parts = {}
   while true do
      local part = reader()
      if part == nil or part == "" then
         return concat(parts)
      end
      parts[#parts + 1] = part
   end
end

local function load_51(reader, chunk_name)
   if type(reader) ~= "function" then
      host.bad_argument(1, "function expected, got " .. type(reader))
   end
   local ok, text = pcall(drained, reader)
   if not ok then
      return nil, text
   end
   return compile(text, chunk_name or "=(load)")
end

local function load_52(...)
   local chunk, chunk_name, mode = ...
   if type(mode) == "string" and not find(mode, "t", 1, true) then
      return nil, "attempt to load a text chunk (mode is '" .. mode .. "')"
   end
   if select("#", ...) >= 4 then
      return load_raw(chunk, chunk_name, "t", (select(4, ...)))
   end
   return load_raw(chunk, chunk_name, "t", globals)
end

globals.load = native.is_lua51 and load_51 or load_52

if loadstring_raw then
   function globals.loadstring(text, chunk_name)
      if type(text) == "string" and sub(text, 1, 1) == "\27" then
         return nil, BINARY_REFUSED
      end
      return loadstring_raw(text, chunk_name)
   end
end

local searchers = package.searchers or package.loaders
if native.lua_path and native.lua_path ~= "" then
   package.path = native.lua_path .. ";" .. package.path
end

------------------------------------------------------------------------------------------------------------
-- Code that is not Lua

if not native.c_modules then
   package.cpath = ""
   package.loadlib = nil
   package.preload.ffi = nil
   package.loaded.ffi = nil
   searchers[4] = nil
   searchers[3] = function()
      return native.joins_searchers and sub(C_MODULES_OFF, 3) or C_MODULES_OFF
   end
else
   package.cpath = native.c_path
   package.path = package.path .. ";" .. native.shared_path
end

-- Lua's own answer to a locale that there is not: it would hold for every script of the worker.
local setlocale = os.setlocale
function os.setlocale(locale, category)
   if locale == nil then
      return setlocale(nil, category)
   end
   return nil
end

------------------------------------------------------------------------------------------------------------
-- The profile `restricted`

-- Where modules are sought whatever a script puts into package.path; nil: it may say itself.
host.package = package
-- A file that is loaded as Lua tells what stands in it, in its globals or in the message that it does not compile. So
-- there are modules of the configured folders, and no other files.
host.fixed_module_path = is_restricted and package.path or nil
if is_restricted then
   globals.loadfile, globals.dofile, package.searchpath = nil, nil, nil
end

-- Our own files need what this takes away.
host.at_end(function()
   if not is_restricted then
      return
   end
   globals.os = { time = os.time, clock = os.clock, date = os.date, difftime = os.difftime }
   globals.io, globals.debug = nil, nil
   package.loaded.os, package.loaded.io, package.loaded.debug = globals.os, nil, nil
   package.loadlib = nil
end)
