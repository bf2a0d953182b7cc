-- dovecot.restrict_global_variables(on): forbids new global variables that are not functions.
--
-- Arguments: exactly one, by truthiness. Returns nothing. Off installs an empty metatable; it does not bring an earlier
-- one back. The texts are Dovecot's, its "write to read" included. Mirrors dlua_restrict_global_variables (2.3.17).

local host = ...
local check_count, error, globals, rawset, setmetatable, tostring, type =
   host.check_count, error, _G, rawset, setmetatable, tostring, type
local format = string.format

local function name_of(key, metamethod)
   local kind = type(key)
   if kind ~= "string" and kind ~= "number" then
      error(format("bad argument #2 to '%s' (string expected, got %s)", metamethod, kind), 3)
   end
   return tostring(key)
end

local function newindex(t, key, value)
   local name = name_of(key, "newindex")
   if type(value) ~= "function" then
      error("attempt to write to undeclared global variable " .. name, 0)
   end
   rawset(t, key, value)
end

local function index(_, key)
   error("attempt to write to read undeclared global variable " .. name_of(key, "index"), 0)
end

function host.methods.restrict_global_variables(...)
   check_count(1, ...)
   if ... then
      setmetatable(globals, { __newindex = newindex, __index = index })
   else
      setmetatable(globals, {})
   end
end
