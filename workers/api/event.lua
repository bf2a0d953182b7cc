-- dovecot.event([parent]): log events.
--
-- An event is a table with the one raw field `item`, an opaque handle; its record (event_log.lua) is found by the
-- handle, so a forged or copied handle reaches nothing it should not. A record keeps the records above it alive, and
-- lives as long as the handle or an event below it. Mirrors dlua_event_new, dlua_check_event (2.3, 2.4).

local host = ...
local new_record, script_record, wrong_count, wrong_range =
   host.new_record, host.script_record, host.wrong_count, host.wrong_range
local error, format, rawget, select, setmetatable, type = error, string.format, rawget, select, setmetatable, type
local new_handle = host.new_handle

-- Handle -> record.
local records = setmetatable({}, { __mode = "k" })

local function wrong_event(value, index)
   error(format("Bad argument #%d, expected struct event got %s", index, type(value)), 0)
end
host.wrong_event = wrong_event

local function record_at(value, index)
   local record = type(value) == "table" and records[rawget(value, "item")]
   if not record then
      wrong_event(value, index)
   end
   return record
end

local function record_of(self)
   return record_at(self, 1)
end

local metatable = host.event_metatable("struct event", record_of, record_of)

-- Makes a Lua object for a record. Each push is a new object: Dovecot's objects are never equal either.
function host.push_event(record)
   local handle = new_handle()
   records[handle] = record
   return setmetatable({ item = handle }, metatable)
end
local push_event = host.push_event

-- The record behind argument `index` of the calling API function; raises class A if it is no event.
host.event_record = record_at

-- set_forced_debug(): debug lines of this event and of events created below it later. Since 2.4.1.
function metatable.set_forced_debug(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   record_at((...), 1).is_forced_debug = true
   return ...
end

-- unset_forced_debug(): takes it back. Since 2.4.1.
function metatable.unset_forced_debug(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   record_at((...), 1).is_forced_debug = false
   return ...
end

host.event_methods = metatable
host.fit_to_dialect("event", metatable)

-- dovecot.event([parent]) -> event
function host.made.event(...)
   local count = select("#", ...)
   if count > 1 then
      wrong_range(0, 1, count)
   end
   local parent = script_record
   if count == 1 then
      parent = record_at((...), 1)
   end
   return push_event(new_record(parent))
end
