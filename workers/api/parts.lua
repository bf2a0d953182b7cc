-- What scripts see of events, texts, numbers, DNS, dicts and HTTP before they use any of it: functions that load the
-- files.
--
-- The files of a part put their functions into host.made (workers/lua/parts.lua).

local host = ...
local argument_objects, dovecot, methods, part, stand_in =
   host.argument_objects, host.dovecot, host.methods, host.part, host.stand_in

local shapes = part({ "shapes.lua" })
local log = part({ "event_log.lua" }, shapes)
host.load_log = log
host.log_on_script_event = stand_in(log, "log_on_script_event")

local events = part({ "event_methods.lua", "event.lua", "passthrough.lua" }, log)
host.load_events = events
methods.event = stand_in(events, "event")

local function put(load_part, names)
   for name in names:gmatch("%S+") do
      methods[name] = stand_in(load_part, name)
   end
end

local strings = part({ "strings.lua" })
put(strings, "tabescape tabunescape split_tabescaped net_ip_family var_expand")
put(part({ "flags.lua" }), "has_flag set_flag clear_flag")
put(part({ "clock.lua" }), "gettimeofday nanoseconds microseconds")
dovecot.base64 = {
   encode = stand_in(strings, "base64_encode"),
   decode = stand_in(strings, "base64_decode"),
}
host.method_tables[#host.method_tables + 1] = dovecot.base64

local dns = part({ "dns.lua" }, events)
methods.dns_client = stand_in(dns, "dns_client")
argument_objects.dns = stand_in(dns, "dns_argument")

local dict = part({ "dict.lua", "dict_iterator.lua", "dict_transaction.lua" }, shapes)
argument_objects.dict = stand_in(dict, "dict_argument")
dovecot.dict = {
   ITERATE_FLAG_RECURSE = 1.0,
   ITERATE_FLAG_SORT_BY_KEY = 2.0,
   ITERATE_FLAG_SORT_BY_VALUE = 4.0,
   ITERATE_FLAG_NO_VALUE = 8.0,
   ITERATE_FLAG_EXACT_KEY = 16.0,
   ITERATE_FLAG_ASYNC = 32.0,
   open = stand_in(dict, "dict_open"),
}

-- A worker gives the natives of HTTP all or none; without them a state has no dovecot.http.
if host.native.http_open then
   local http = part(
      { "http_object.lua", "http_event.lua", "http_response.lua", "http_request.lua", "http_client.lua" },
      events
   )
   dovecot.http = { client = stand_in(http, "http_client") }
   host.method_tables[#host.method_tables + 1] = dovecot.http
end
