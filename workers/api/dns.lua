-- dns_client:lookup(host[, event]): the addresses of a host name, waiting without holding anybody up.
--
-- A client reaches a script as an argument, {"$dns": true}, or from dovecot.dns_client(), which is ours: in Dovecot
-- only a host gives clients away. All clients of a worker are one resolver (workers/dns). Mirrors struct dns_client of
-- Dovecot 2.4.

local host = ...
local await, check_string, event_record, expect_count, wrong_count =
   host.await, host.check_string, host.event_record, host.expect_count, host.wrong_count
local select = select

-- The code of a failure that is no answer: EAI_FAIL.
local FAIL = -4

local methods, new, secret_of = host.object_kind("struct dns_client")

local function results(addresses, text, code)
   if addresses then
      return addresses
   end
   return nil, text, code or FAIL
end

-- lookup(host[, event]) -> list of one address or more, 1-based, the server's order in each family
-- | nil, text, code (getaddrinfo's). Never raises for what DNS says.
function methods.lookup(...)
   expect_count(2, 3, ...)
   local self, name, event = ...
   secret_of(self)
   name = check_string(name, 2)
   if select("#", ...) == 3 then
      event_record(event, 3)
   end
   return results(await("dns_lookup", name))
end

local function new_client()
   return new(true)
end

host.made.dns_argument = new_client

-- dovecot.dns_client() -> dns_client
function host.made.dns_client(...)
   local count = select("#", ...)
   if count > 0 then
      wrong_count(0, count)
   end
   return new_client()
end
