-- dovecot.i_debug, i_info, i_warning, i_error(text): straight to the log, past events and filters.
--
-- Arguments: exactly one string. Returns nothing. i_debug is always written: Dovecot's debug filters do not apply.
-- Mirrors dlua_i_debug and its siblings (Dovecot 2.3 and 2.4).

local host = ...
local check_count, check_string, log = host.check_count, host.check_string, host.native.log

for _, level in ipairs({ "debug", "info", "warning", "error" }) do
   local name = "i_" .. level
   host.methods[name] = function(...)
      check_count(1, ...)
      log(level, check_string(..., 1, name))
   end
end
