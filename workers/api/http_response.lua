-- What request:submit() returns: status(), reason(), header(name), payload().
--
-- Made by http_request.lua from an answer: status, reason, payload, and `headers`, one string of name, value, …, each
-- followed by a NUL. Mirrors dlua-dovecot-http.c (2.3, 2.4).

local host = ...
local check_string, wrong_count = host.check_string, host.wrong_count
local find, lower, select, sub = string.find, string.lower, select, string.sub

local methods = {}
local new_response, answer_at = host.http_kind("struct dlua_http_response", methods)
host.new_http_response = new_response

local function only_self(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   return answer_at((...), 1)
end

-- status() -> integer: the server's, or one from 9000 on where no server answered.
function methods.status(...)
   return only_self(...).status
end

-- reason() -> string
function methods.reason(...)
   return only_self(...).reason
end

-- payload() -> string, NULs included; "" if there is none.
function methods.payload(...)
   return only_self(...).payload
end

-- header(name) -> string: the first field of that name, whatever its case; "" if there is none.
function methods.header(...)
   local count = select("#", ...)
   if count ~= 2 then
      wrong_count(2, count)
   end
   local self, name = ...
   local packed = answer_at(self, 1).headers
   name = lower(check_string(name, 2))
   local start = 1
   while start <= #packed do
      local name_end = find(packed, "\0", start, true)
      local value_end = find(packed, "\0", name_end + 1, true)
      if lower(sub(packed, start, name_end - 1)) == name then
         return sub(packed, name_end + 1, value_end - 1)
      end
      start = value_end + 1
   end
   return ""
end
