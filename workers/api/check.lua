-- Argument checks with Dovecot's two classes of error text.
--
-- Class A (Dovecot's own errors, wrong count) carries no position. Class B (liblua's argument checkers) carries the
-- position of the Lua caller. The count is checked before the types, as Dovecot does.

local host = ...
local error, select, tostring, type, format = error, select, tostring, type, string.format

-- Raises class A unless exactly `expected` arguments were given, explicit nils included.
function host.check_count(expected, ...)
   local got = select("#", ...)
   if got ~= expected then
      error(format("expected %d arguments, got %d", expected, got), 0)
   end
end

-- Returns the argument as a string (numbers are converted, a NUL ends it); raises class B for anything else.
function host.check_string(value, index, name)
   local kind = type(value)
   if kind == "number" then
      return tostring(value)
   end
   if kind ~= "string" then
      error(format("bad argument #%d to '%s' (string expected, got %s)", index, name, kind), 3)
   end
   return (value:match("^[^%z]*"))
end
