-- Takes away what the script's Dovecot line does not have; the names come from workers/api/dialects.py.
--
-- Last file of workers/api that every state runs; those that come later (parts.lua) ask it about their own. A name is
-- `dovecot.X` (function or sub-table), or `event:X` and the like (a method); a name of an argument, as in
-- `dict:expire_secs`, is the business of the file that takes it.

local host = ...
local gmatch, match = string.gmatch, string.match

-- Takes away the methods that an object of this name does not have.
function host.fit_to_dialect(object, methods)
   for name in gmatch(host.native.absent_names, "[^,]+") do
      local owner, member = match(name, "^([%w_]+)[.:]([%w_]+)$")
      if owner == object then
         methods[member] = nil
      end
   end
end

host.fit_to_dialect("dovecot", host.methods)
host.fit_to_dialect("dovecot", host.dovecot)
