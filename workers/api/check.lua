-- Argument checks with Dovecot's two classes of error text, for every function that scripts call.
--
-- Class A (Dovecot's own errors: wrong count, wrong object) carries no position. Class B (liblua's argument checkers)
-- carries the position of the Lua code that called, and the name by which it called. Order: count, self, then the
-- arguments from left to right. Mirrors DLUA_REQUIRE_ARGS (Dovecot) and luaL_argerror, luaL_where (Lua 5.1 to 5.5).

local host = ...
local is_our_source, getinfo, getmetatable_raw = host.is_our_source, host.raw.getinfo, host.raw.getmetatable
local error, floor, ceil, find, format, next, rawequal, rawget, select, sub, tonumber, type =
   error, math.floor, math.ceil, string.find, string.format, next, rawequal, rawget, select, string.sub, tonumber, type
local tointeger = math.tointeger
local loaded = package.loaded
local knows_tail_calls = not host.native.is_lua51 and not host.native.is_luajit

-- Tables of functions that scripts call, for the name of one that was tail-called.
host.method_tables = {}

------------------------------------------------------------------------------------------------------------
-- Who called

-- Finds the first frame that is not ours. Returns its level, seen from the function that asks, and whether the function
-- below it, which the script called, was tail-called (`return dovecot.event(1)`): the frame of the code that called it
-- is gone then, and the one found would be the wrong place. LuaJIT cannot tell. Lua 5.1 shows each lost frame as one of
-- its own kind, also where our functions tail-call each other.
local function find_caller()
   local level, caller = 2, 3
   local info = getinfo(level, "S")
   while info and (info.what == "tail" or is_our_source(info.source)) do
      level = level + 1
      if info.what ~= "tail" then
         caller = level
      end
      info = getinfo(level, "S")
   end
   level, info = caller, getinfo(caller, "S")
   if knows_tail_calls then
      return level - 1, getinfo(level - 1, "t").istailcall
   end
   return level - 1, info ~= nil and info.what == "tail"
end

local function position_of(info)
   if info and info.currentline > 0 then
      return info.short_src .. ":" .. format("%d", info.currentline) .. ": "
   end
   return ""
end

-- The position prefix of liblua's errors: "script.lua:5: ", or nothing where C code called.
function host.where()
   local level, is_tail = find_caller()
   return is_tail and "" or position_of(getinfo(level, "Sl"))
end

-- How liblua names a function that it cannot see called by name: as a member of a loaded module.
local function loaded_name(fn)
   for module_name, module in next, loaded do
      if type(module) == "table" and type(module_name) == "string" then
         for key, value in next, module do
            if type(key) == "string" and rawequal(value, fn) then
               return module_name == "_G" and key or module_name .. "." .. key
            end
         end
      end
   end
end

local function method_name(fn)
   for _, methods in next, host.method_tables do
      for name, method in next, methods do
         if rawequal(method, fn) then
            return name
         end
      end
   end
end

local function wording(callee, name, index, detail)
   if callee.namewhat == "method" then
      index = index - 1
      if index == 0 then
         return format("calling '%s' on bad self (%s)", name, detail)
      end
   end
   return format("bad argument #%d to '%s' (%s)", index, name or loaded_name(callee.func) or "?", detail)
end

-- Raises liblua's error for argument `index` (self counted) of the function that the script called.
function host.bad_argument(index, detail)
   local level, is_tail = find_caller()
   local callee = getinfo(level - 1, "nf")
   local name = callee.name
   if is_tail then
      name = method_name(callee.func)
   end
   local position = is_tail and "" or position_of(getinfo(level, "Sl"))
   error(position .. wording(callee, name, index, detail), 0)
end

-- The type as liblua names it: a metatable's __name from Lua 5.3 on.
local function type_name(value)
   local metatable = tointeger and getmetatable_raw(value)
   local name = metatable and rawget(metatable, "__name")
   return type(name) == "string" and name or type(value)
end
host.type_name = type_name

------------------------------------------------------------------------------------------------------------
-- Class A

-- Raised by functions that take exactly `expected` arguments; explicit nils are counted.
function host.wrong_count(expected, got)
   error(format("expected %d arguments, got %d", expected, got), 0)
end

-- Raises unless a function that takes exactly `expected` arguments was given that many.
function host.expect_exactly(expected, ...)
   local count = select("#", ...)
   if count ~= expected then
      host.wrong_count(expected, count)
   end
end

function host.wrong_range(least, most, got)
   error(format("expected %d to %d arguments, got %d", least, most, got), 0)
end

------------------------------------------------------------------------------------------------------------
-- Class B

-- Returns argument `index` as a C string: numbers are converted, a NUL ends it. Raises for anything else.
function host.check_string(value, index)
   if type(value) == "string" then
      local nul = find(value, "\0", 1, true)
      return nul and sub(value, 1, nul - 1) or value
   end
   if type(value) == "number" then
      return value .. ""
   end
   host.bad_argument(index, "string expected, got " .. type_name(value))
end

-- The same, NULs kept: for the functions that Dovecot marks binary-safe.
function host.check_bytes(value, index)
   if type(value) == "string" then
      return value
   end
   -- No tail call: Lua 5.1 would show it as a frame between.
   return (host.check_string(value, index))
end

-- Lua 5.1, 5.2 and LuaJIT cut the fraction off, as a C conversion does; what does not fit becomes the least integer.
local function truncated(number)
   if number ~= number or number >= 2 ^ 63 or number < -2 ^ 63 then
      return -2 ^ 63
   end
   return number >= 0 and floor(number) or ceil(number)
end

-- Returns argument `index` as an integer: floats with an exact value and numeric strings are converted.
function host.check_integer(value, index)
   local number = type(value) == "string" and tonumber(value) or value
   if type(number) ~= "number" then
      host.bad_argument(index, "number expected, got " .. type_name(value))
   end
   local integer
   if tointeger then
      integer = tointeger(number)
   else
      integer = truncated(number)
   end
   if integer == nil then
      host.bad_argument(index, "number has no integer representation")
   end
   return integer
end
