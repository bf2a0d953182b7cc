-- Takes away what the script's Dovecot line does not have; the names come from workers/api/dialects.py.
--
-- Last file of workers/api that every state runs. A name is `dovecot.X` (function or sub-table), `event:X` or
-- `http_request:X`.

local host = ...

for name in host.native.absent_names:gmatch("[^,]+") do
   local object, member = name:match("^([%w_]+)[.:]([%w_]+)$")
   if object == "event" then
      host.event_methods[member] = nil
   elseif object == "http_request" then
      host.http_request_methods[member] = nil
   else
      host.methods[member] = nil
      rawset(host.dovecot, member, nil)
   end
end
