-- dovecot.has_flag, set_flag, clear_flag(value, flag): bit operations on 64-bit integers.
--
-- Arguments: exactly two integers. has_flag returns whether all bits of `flag` are set (none of them: true), the
-- others return the changed integer. Mirrors dlua_has_flag and its siblings (2.3, 2.4).

local host = ...
local check_integer, wrong_count, native = host.check_integer, host.wrong_count, host.native
local select = select

-- The operators exist from Lua 5.3 on and would not even parse before.
local function operator(source, fallback)
   return math.tointeger and host.compile_text("local v, f = ... return " .. source, "=[lualoft flags]") or fallback
end

local function define(name, operation)
   host.made[name] = function(...)
      local count = select("#", ...)
      if count ~= 2 then
         wrong_count(2, count)
      end
      local value, flag = ...
      value = check_integer(value, 1)
      return (operation(value, check_integer(flag, 2)))
   end
end

define("has_flag", operator("v & f == f", native.has_flag))
define("set_flag", operator("v | f", native.set_flag))
define("clear_flag", operator("v & ~f", native.clear_flag))
