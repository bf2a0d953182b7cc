-- Takes away what the script's Dovecot line does not have; the names come from workers/api/dialects.py.
--
-- Last file of workers/api that every state runs. A name is `dovecot.X` (function or sub-table), or `event:X` and the
-- like (a method); a name of an argument, as in `dict:expire_secs`, is the business of the file that takes it.

local host = ...

local objects = {
   event = host.event_methods,
   http_request = host.http_request_methods,
   dict_txn = host.dict_txn_methods,
}

for name in host.native.absent_names:gmatch("[^,]+") do
   local object, member = name:match("^([%w_]+)[.:]([%w_]+)$")
   if objects[object] then
      objects[object][member] = nil
   elseif object == "dovecot" then
      host.methods[member] = nil
      rawset(host.dovecot, member, nil)
   end
end
