-- The events of HTTP clients and their requests: prefixes, fields, and what a finished request sends.
--
-- http_client.lua and http_request.lua call it. Log lines at debug level are made only where somebody wants them: a
-- filter of the worker's, or `debug = true` in dialect 2.3. Mirrors http-client.c and http-client-request.c (2.3, 2.4).

local host = ...
local emit, emit_debug, log_on_script_event, native, new_record =
   host.emit, host.emit_debug, host.log_on_script_event, host.native, host.new_record
local find, format, ipairs, sub = string.find, string.format, ipairs, string.sub

local NO_FILE = "<non-file location>"

-- Statuses from here on are the client's own: no server sent them.
local FIRST_INTERNAL_STATUS = 9000

local STRING, INTEGER = "s", "i"

-- Sets the fields { key, kind, value } of an event that has none yet.
local function set_fields(record, fields)
   record.keys, record.kinds, record.values = {}, {}, {}
   for index, field in ipairs(fields) do
      local key = field[1]
      record.keys[index], record.kinds[key], record.values[key] = key, field[2], field[3]
   end
end

-- The event of a client below `parent`.
function host.new_client_event(parent, id, is_debug)
   local record = new_record(parent)
   record.prefix = format("http-client[%d]: ", id)
   if is_debug then
      record.is_forced_debug = true
   end
   return record
end

-- The event of a request below `parent`. `request` is the record of http_request.lua.
function host.new_request_event(parent, request)
   local record = new_record(parent)
   record.prefix = format("request [Req%d: %s %s%s]: ", request.id, request.method, request.origin, request.target)
   set_fields(record, {
      { "method", STRING, request.method },
      { "dest_host", STRING, request.host },
      { "dest_port", INTEGER, format("%d", request.port) },
      { "target", STRING, request.target },
   })
   return record
end

-- Sends one debug line below the request's event, with a name and the fields of its end so far.
local function send(event, name, text, answer, attempts, redirects)
   local record = new_record(event)
   record.name = name
   set_fields(record, {
      { "status_code", INTEGER, format("%d", answer.status) },
      { "attempts", INTEGER, format("%d", attempts) },
      { "redirects", INTEGER, format("%d", redirects) },
      { "net_in_bytes", INTEGER, format("%d", answer.net_in_bytes) },
      { "net_out_bytes", INTEGER, format("%d", answer.net_out_bytes) },
   })
   emit_debug(record, text, NO_FILE, 0)
end

local function send_all(event, answer)
   for redirect = 1, answer.redirects do
      local text = format("Redirecting to %s (redirects=%d)", answer.url, redirect)
      send(event, "http_request_redirected", text, answer, 1, redirect)
   end
   -- Following a redirect is a try, but no retry.
   local attempts = answer.attempts - answer.redirects
   for attempt = 2, attempts do
      local text = format("Retrying (attempts=%d)", attempt - 1)
      send(event, "http_request_retried", text, answer, attempt, answer.redirects)
   end
   local text = "Finished"
   if answer.status >= FIRST_INTERNAL_STATUS then
      text = format("Error: %d %s", answer.status, answer.reason)
   end
   send(event, "http_request_finished", text, answer, attempts, answer.redirects)
end

-- Logs the lines that the exchange gave: level, text, …, each followed by a NUL. Errors go to the script event.
local function log_lines(event, packed)
   local start = 1
   while start <= #packed do
      local level_end = find(packed, "\0", start, true)
      local text_end = find(packed, "\0", level_end + 1, true)
      local level, text = sub(packed, start, level_end - 1), sub(packed, level_end + 1, text_end - 1)
      if level == "debug" then
         emit_debug(new_record(event), text, NO_FILE, 0)
      elseif level == "error" then
         log_on_script_event(level, text)
      else
         emit(new_record(event), level, text, NO_FILE, 0)
      end
      start = text_end + 1
   end
end

-- Logs what a request came to. `answer` holds status, reason, url, log, attempts, redirects, net_in_bytes and
-- net_out_bytes.
function host.log_request_end(event, answer)
   log_lines(event, answer.log)
   if event.is_forced_debug or native.wants_debug then
      send_all(event, answer)
   end
end
