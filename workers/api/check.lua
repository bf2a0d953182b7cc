-- Argument checks with Dovecot's two classes of error text, for every function that scripts call.
--
-- Class A (Dovecot's own errors: wrong count, wrong object) carries no position. Class B (liblua's argument checkers)
-- carries the position of the Lua code that called, and the name by which it called. Order: count, self, then the
-- arguments from left to right. Mirrors DLUA_REQUIRE_ARGS (Dovecot) and luaL_argerror, luaL_where (Lua 5.1 to 5.5).

local host = ...
local error, floor, ceil, find, format, select, sub, tonumber, type =
   error, math.floor, math.ceil, string.find, string.format, select, string.sub, tonumber, type
local tointeger = math.tointeger

-- Tables of functions that scripts call, for the name of one that was tail-called.
host.method_tables = {}
-- What modules are loaded, for the same.
host.loaded_modules = package.loaded

-- Words for what is wrong (blame.lua): they come in when something is.
local blame = host.part({ "blame.lua" })
host.bad_argument = host.stand_in(blame, "bad_argument")
host.type_name = host.stand_in(blame, "type_name")
host.where = host.stand_in(blame, "where")
local type_name = host.type_name

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
