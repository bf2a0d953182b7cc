-- dovecot.restrict_global_variables(on): forbids new global variables that are not functions.
--
-- Arguments: exactly one, by truthiness (0 is true). Returns nothing. Off installs an empty metatable; it does not
-- bring an earlier one back. The texts are Dovecot's, its "write to read" included. Mirrors
-- dlua_restrict_global_variables (2.3.17).

local host = ...
local check_string, wrong_count = host.check_string, host.wrong_count
local error, globals, rawset, select, setmetatable, type = error, _G, rawset, select, setmetatable, type

local function newindex(t, key, value)
   if type(value) == "function" then
      rawset(t, check_string(key, 2), value)
      return
   end
   error("attempt to write to undeclared global variable " .. check_string(key, 2), 0)
end

local function index(_, key)
   error("attempt to write to read undeclared global variable " .. check_string(key, 2), 0)
end

function host.methods.restrict_global_variables(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   if ... then
      setmetatable(globals, { __newindex = newindex, __index = index })
   else
      setmetatable(globals, {})
   end
end
