-- dovecot.http.client{…} and client:request{…}.
--
-- The options are read by natives of the script's dialect: texts by the type of their setting in 2.4, typed values in
-- 2.3. A client belongs to its instance: it is closed when nothing refers to it any more, or with the Lua state.
-- Mirrors dlua-dovecot-http.c (2.3, 2.4).

local host = ...
local bad_argument, check_string, event_record, native, wrong_count =
   host.bad_argument, host.check_string, host.event_record, host.native, host.wrong_count
local collectgarbage, concat, error, find, format, gmatch, next, rawget, select, sub, tostring, type =
   collectgarbage, table.concat, error, string.find, string.format, string.gmatch, next, rawget, select, string.sub,
   tostring, type

local methods = {}
local new_client, client_at = host.http_kind("struct http_client", methods)

local function check_table(value, index)
   if type(value) ~= "table" then
      bad_argument(index, "table expected, got " .. host.type_name(value))
   end
end

local function c_string(text)
   local nul = find(text, "\0", 1, true)
   return nul and sub(text, 1, nul - 1) or text
end

------------------------------------------------------------------------------------------------------------
-- Options

-- Without tostring's metamethods, and without its locale.
local function text_of(value)
   local kind = type(value)
   if kind == "string" or kind == "number" then
      return c_string(value .. "")
   elseif kind == "boolean" then
      return value and "true" or "false"
   end
   return ""
end

-- Options that lead to files and sockets of the machine, which the profile `restricted` has not.
local PLACES = {
   rawlog_dir = true,
   proxy_socket_path = true,
   ssl_client_ca_file = true,
   ssl_client_ca_dir = true,
   ssl_client_cert_file = true,
   ssl_client_key_file = true,
}
local is_restricted = native.profile == "restricted"

-- Reads one option and puts it behind the others; raises if it cannot be used.
local function add_option(packed, key, value)
   local kind, text = type(value), text_of(value)
   if is_restricted and PLACES[key] and text ~= "" then
      error("http_client_" .. key .. " names a place outside Lua, which the profile restricted does not allow", 0)
   end
   local problem = native.http_option(key, kind, text)
   if problem then
      error(problem, 0)
   end
   packed[#packed + 1] = key .. "\0" .. kind .. "\0" .. text .. "\0"
end

local function key_text(key)
   local kind = type(key)
   if kind == "string" or kind == "number" then
      return c_string(key .. "")
   end
   return kind == "boolean" and tostring(key) or kind
end

-- Dialect 2.4: every key of the table must be a setting; the first that is not is reported.
local function options_24(settings)
   local packed = {}
   for key, value in next, settings do
      local name = key_text(key)
      if name ~= "event_parent" then
         add_option(packed, name, value)
      end
   end
   local parent = rawget(settings, "event_parent")
   return packed, type(parent) == "table" and parent or nil
end

-- Dialect 2.3: the table is asked for each option, in Dovecot's order.
local function options_23(settings)
   local packed = {}
   for key in gmatch(native.http_option_names, "[^,]+") do
      local value = settings[key]
      if value ~= nil then
         add_option(packed, key, value)
      end
   end
   return packed, settings.event_parent
end

local options_of = native.http_is_23 and options_23 or options_24

-- dovecot.http.client(settings) -> client
function host.made.http_client(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   local settings = ...
   check_table(settings, 1)
   local packed, parent = options_of(settings)
   local parent_record = host.script_record
   if parent ~= nil then
      parent_record = event_record(parent, -1)
   end
   if native.http_is_crowded() then
      collectgarbage()
      native.http_collected()
   end
   local client, is_debug = { id = false, event = false }
   local handle = host.new_closing_handle(native.http_close, client)
   client.id, is_debug = native.http_open(concat(packed))
   if not client.id then
      error(is_debug, 0)
   end
   client.event = host.new_client_event(parent_record, client.id, is_debug)
   return new_client(client, handle)
end

------------------------------------------------------------------------------------------------------------
-- Requests

-- Dovecot counts this argument from the end of its stack.
local LAST = -1

-- client:request{url = …[, method = …]} -> request
function methods.request(...)
   local count = select("#", ...)
   if count ~= 2 then
      wrong_count(2, count)
   end
   local self, given = ...
   local client = client_at(self, 1)
   check_table(given, 2)
   local url = given.url
   if url == nil then
      error("cannot create request: url not specified", 0)
   end
   url = check_string(url, LAST)
   local method = given.method
   method = method == nil and "GET" or check_string(method, LAST)
   if find(method, "[%c ]") then
      error("invalid method: it must not contain spaces or control characters", 0)
   end
   local origin, target, host_name, port = native.http_url(url)
   if not origin then
      error(format("Failed to parse url %s: %s", url, target), 0)
   end
   local parts = { url = url, origin = origin, target = target, host = host_name, port = port }
   return host.new_http_request(client, rawget(self, "item"), method, parts)
end
