-- prelude: the first code of every Lua state; closes the ways into the host and runs calls as coroutines.
--
-- Called once by workers/lua/runtime.py with the table `native` (Python functions and settings).
-- Returns the table `host`: what Python calls (compile, start_main, start, resume, has_function) and what the
-- files of workers/api build on (native, await, dovecot, methods). A script never sees `host`.

local native = ...

-- Scripts may replace any global; the prelude keeps its own references.
local create, resume_raw, status, yield =
   coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local close = coroutine.close or function() end
local error, pcall, rawget, select, type, tostring =
   error, pcall, rawget, select, type, tostring
local load_raw, loadfile_raw, sub, collectgarbage = load, loadfile, string.sub, collectgarbage
local globals = _G

-- What a step returns to Python first; the same numbers stand in runtime.py.
local DONE, FAILED, NO_FUNCTION, PARKED = 0, 1, 2, 3

local host = { native = native }

------------------------------------------------------------------------------------------------------------
-- The ways out of the sandbox

globals.python = nil
package.loaded.python = nil

-- Dovecot's own advice is never to call it; here it ends the call, not the worker.
os.exit = function()
   error("os.exit() would end the worker and is not available: return or call error() instead", 0)
end

local BYTE_CODE = "attempt to load a binary chunk (only text is accepted)"

local function is_byte_code(text)
   return sub(text, 1, 1) == "\27"
end

-- Byte code can crash any Lua; a reader function is drained first so that its first byte can be seen.
local function text_of(chunk)
   if type(chunk) ~= "function" then
      return chunk
   end
   local parts = {}
   while true do
      local part = chunk()
      if part == nil or part == "" then
         return table.concat(parts)
      end
      parts[#parts + 1] = part
   end
end

function globals.load(chunk, name, _, ...)
   local ok, text = pcall(text_of, chunk)
   if not ok then
      return nil, text
   end
   if type(text) == "string" and is_byte_code(text) then
      return nil, BYTE_CODE
   end
   if name == nil and type(chunk) == "function" then
      name = "=(load)"
   end
   if native.is_lua51 then
      return globals.loadstring(text, name)
   end
   return load_raw(text, name, "t", ...)
end

local loadstring_raw = rawget(globals, "loadstring")
if loadstring_raw then
   function globals.loadstring(text, name)
      if type(text) == "string" and is_byte_code(text) then
         return nil, BYTE_CODE
      end
      return loadstring_raw(text, name)
   end
end

function globals.loadfile(path, _, ...)
   local file = path and io.open(path, "rb")
   local first = file and file:read(1)
   if file then
      file:close()
   end
   if first == "\27" then
      return nil, BYTE_CODE
   end
   return loadfile_raw(path, "t", ...)
end

function globals.dofile(path)
   local chunk, message = globals.loadfile(path)
   if not chunk then
      error(message, 0)
   end
   return chunk()
end

if not native.c_modules then
   package.cpath = ""
   package.loadlib = nil
end

------------------------------------------------------------------------------------------------------------
-- Calls: one coroutine each; a slow operation parks it and Python resumes it later

-- A yield that carries this mark is an operation; any other yield is the script's own mistake.
local PARK = {}

-- Hands the operation `name` to the engine and returns its results. Called by workers/api, never by scripts.
function host.await(name, ...)
   return yield(PARK, name, ...)
end

-- What Dovecot's lua_tostring would make of a handled error: a table has no text.
local function error_text(co, object)
   local kind = type(object)
   if kind ~= "string" and kind ~= "number" and kind ~= "nil" then
      return "(null)"
   end
   local traceback = type(debug) == "table" and debug.traceback
   local ok, text = pcall(traceback, co, object)
   if ok and type(text) == "string" then
      return text
   end
   return tostring(object)
end

local function step(co, ok, mark, ...)
   if not ok then
      return FAILED, error_text(co, mark)
   end
   if status(co) == "dead" then
      return DONE, select("#", mark, ...), mark, ...
   end
   if mark == PARK then
      return PARKED, co, ...
   end
   close(co)
   return FAILED, "attempt to yield from outside a coroutine"
end

-- A function without results still passes one nil to `step`; this keeps the count honest.
local function first_step(co, ok, ...)
   if ok and select("#", ...) == 0 then
      return DONE, 0
   end
   return step(co, ok, ...)
end

function host.start(name, ...)
   local fn = rawget(globals, name)
   if type(fn) ~= "function" then
      return NO_FUNCTION, 0
   end
   local co = create(fn)
   return first_step(co, resume_raw(co, ...))
end

function host.resume(co, ...)
   return first_step(co, resume_raw(co, ...))
end

function host.has_function(name)
   return type(rawget(globals, name)) == "function"
end

-- Memory in use, in kilobytes (Lua 5.2 returns a second number).
function host.memory_kb()
   return (collectgarbage("count"))
end

------------------------------------------------------------------------------------------------------------
-- Loading

local main_chunk

-- Compiles without running. Returns nil, or Lua's message.
function host.compile(source, chunk_name)
   if is_byte_code(source) then
      return BYTE_CODE
   end
   local message
   if native.is_lua51 then
      main_chunk, message = loadstring_raw(source, chunk_name)
   else
      main_chunk, message = load_raw(source, chunk_name, "t")
   end
   return message
end

function host.start_main()
   local co = create(main_chunk)
   main_chunk = nil
   return first_step(co, resume_raw(co))
end

------------------------------------------------------------------------------------------------------------
-- Built-in modules: compiled at the first `require`, given `host` and the module's name

for name in native.module_names:gmatch("[^,]+") do
   package.preload[name] = function()
      local file_name, source = native.module_source(name)
      local load_text = native.is_lua51 and loadstring_raw or load_raw
      local chunk = load_text(source, "=[lualoft " .. file_name .. "]")
      return chunk(host, name)
   end
end

return host
