-- dovecot.i_debug, i_info, i_warning, i_error(text): straight to the log, past events and filters.
--
-- Arguments: exactly one string, cut at its first NUL. Returns nothing. i_debug is always written: Dovecot's debug
-- filters do not apply. No script prefix, categories or fields. Mirrors dlua_i_debug and its siblings (2.3, 2.4).

local host = ...
local check_string, wrong_count, log = host.check_string, host.wrong_count, host.native.log
local select = select

for _, level in ipairs({ "debug", "info", "warning", "error" }) do
   host.methods["i_" .. level] = function(...)
      local count = select("#", ...)
      if count ~= 1 then
         wrong_count(1, count)
      end
      log(level, check_string((...), 1))
   end
end
