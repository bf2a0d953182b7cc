-- client:request{…} gives one: add_header, remove_header, set_payload, submit, set_event, get_event.
--
-- A request is a record of what the script said so far; submit() hands it to the worker, parks the call and returns a
-- response. Where Dovecot panics (CR or LF in a header, a second payload, use after submit) this raises. Mirrors
-- dlua-dovecot-http.c and http-client-request.c (2.3, 2.4).

local host = ...
local await, check_string, expect, native, new_request_event, wrong_range =
   host.await, host.check_string, host.expect_exactly, host.native, host.new_request_event, host.wrong_range
local concat, error, find, format, gsub, ipairs, lower, next, rawequal, remove, select, type =
   table.concat, error, string.find, string.format, string.gsub, ipairs, string.lower, next, rawequal, table.remove,
   select, type

-- Status of a request that could not be handed to the worker.
local ABORTED = 9000

-- The client sends these itself, unless the script has set its own once: then never again, even if it removes it.
local IMPLICIT = {
   authorization = true,
   connection = true,
   ["content-length"] = true,
   date = true,
   expect = true,
   host = true,
   ["transfer-encoding"] = true,
   ["user-agent"] = true,
}

local methods = {}
local new_request, record_at = host.http_kind("struct http_client_request", methods)
local request_count = 0

-- Makes a request of a client. `handle` is the client's, which must not go before the request; `target` is what
-- native.http_url said of the URL: url, origin, target, host, port.
function host.new_http_request(client, handle, method, target)
   request_count = request_count + 1
   local request = {
      id = request_count,
      client = client,
      client_handle = handle,
      method = method,
      url = target.url,
      origin = target.origin,
      target = target.target,
      host = target.host,
      port = target.port,
      headers = {},
      -- Name in small letters -> the one in `headers`, so that the thousandth is added as fast as the first.
      header_of = {},
      disabled = {},
   }
   request.event = new_request_event(client.event, request)
   return new_request(request)
end

local function check_open(request)
   if request.is_submitted then
      error("request already submitted", 0)
   end
end

------------------------------------------------------------------------------------------------------------
-- Headers

-- A header name as an error shows it: in one line.
local function shown(name)
   return (gsub(gsub(name, "\r", "\\r"), "\n", "\\n"))
end

local function check_header(name, value)
   if find(name, "[:\r\n]") then
      error(format("invalid header name '%s': it must not contain ':', CR or LF", shown(name)), 0)
   elseif find(value, "[\r\n]") then
      error(format("invalid value of header '%s': it must not contain CR or LF", name), 0)
   elseif lower(name) == "proxy-authorization" then
      error(format("header '%s' cannot be set: the client makes it from its proxy options", name), 0)
   end
end

-- add_header(name, value): adds a header, or gives one that was added before another value; its place and the first
-- spelling of its name stay.
function methods.add_header(...)
   expect(3, ...)
   local self, name, value = ...
   local request = record_at(self, 1)
   name = check_string(name, 2)
   value = check_string(value, 3)
   check_open(request)
   check_header(name, value)
   local key = lower(name)
   local header = request.header_of[key]
   if header then
      header.value = value
   else
      header = { name = name, value = value }
      -- Its place first: where memory ends, the header is in both or in none.
      request.header_of[key] = false
      request.headers[#request.headers + 1] = header
      request.header_of[key] = header
   end
   if IMPLICIT[key] then
      request.disabled[key] = true
   end
end

-- remove_header(name): takes a header away that was added before; any other name does nothing.
function methods.remove_header(...)
   expect(2, ...)
   local self, name = ...
   local request = record_at(self, 1)
   name = check_string(name, 2)
   check_open(request)
   local key = lower(name)
   local header = request.header_of[key]
   if header then
      request.header_of[key] = nil
      for place, other in ipairs(request.headers) do
         if rawequal(other, header) then
            remove(request.headers, place)
            return
         end
      end
   end
end

------------------------------------------------------------------------------------------------------------
-- Payload

local function set_payload(self, payload, is_sync)
   local request = record_at(self, 1)
   payload = check_string(payload, 2)
   check_open(request)
   if request.payload then
      error("request already has a payload", 0)
   elseif #payload > native.http_max_payload_bytes then
      local text = "payload of %d bytes is larger than the limit of %d bytes"
      error(format(text, #payload, native.http_max_payload_bytes), 0)
   end
   request.payload, request.is_sync = payload, is_sync
end

-- set_payload(data[, sync]): what is sent, up to its first NUL. `sync`: wait for the server's 100 Continue first.
function methods.set_payload(...)
   local count = select("#", ...)
   -- In 2.3 there is no such choice: a payload always waits.
   if native.http_is_23 then
      expect(2, ...)
   elseif count < 2 or count > 3 then
      wrong_range(2, 3, count)
   end
   local self, payload, is_sync = ...
   set_payload(self, payload, native.http_is_23 or is_sync and true or false)
end

------------------------------------------------------------------------------------------------------------
-- Events

-- set_event(event): the request's event becomes a child of it. Since 2.4.3.
function methods.set_event(...)
   expect(2, ...)
   local self, event = ...
   local request = record_at(self, 1)
   local parent = host.event_record(event, 2)
   check_open(request)
   request.event = new_request_event(parent, request)
end

-- get_event() -> event: the request's. Since 2.4.3.
function methods.get_event(...)
   expect(1, ...)
   local request = record_at((...), 1)
   check_open(request)
   return host.push_event(request.event)
end

------------------------------------------------------------------------------------------------------------
-- Submitting

local function packed_headers(request)
   local parts = {}
   for index, header in ipairs(request.headers) do
      parts[index] = header.name .. "\0" .. header.value .. "\0"
   end
   return concat(parts)
end

local function packed_names(disabled)
   local names = {}
   for name in next, disabled do
      names[#names + 1] = name
   end
   return concat(names, ",")
end

-- Makes an answer of what the operation returned.
local function given_answer(
   status, reason, headers, payload, log, url, attempts, redirects, net_in_bytes, net_out_bytes
)
   return {
      status = status,
      reason = reason,
      headers = headers,
      payload = payload,
      log = log,
      url = url,
      attempts = attempts,
      redirects = redirects,
      net_in_bytes = net_in_bytes,
      net_out_bytes = net_out_bytes,
   }
end

-- An operation that could not run returns nil and a text.
local function answer_of(request, status, ...)
   if status then
      return given_answer(status, ...)
   end
   local reason = (...)
   reason = type(reason) == "string" and reason or "Aborted"
   return given_answer(ABORTED, reason, "", "", "", request.origin .. request.target, 0, 0, 0, 0)
end

-- submit() -> response. Waits for it; never raises for what goes wrong on the way.
function methods.submit(...)
   expect(1, ...)
   local request = record_at((...), 1)
   check_open(request)
   request.is_submitted = true
   local answer = answer_of(request, await(
      "http_submit", request.client.id, request.method, request.url, packed_headers(request),
      packed_names(request.disabled), request.payload, request.is_sync or false
   ))
   host.log_request_end(request.event, answer)
   return host.new_http_response(answer)
end

host.fit_to_dialect("http_request", methods)
