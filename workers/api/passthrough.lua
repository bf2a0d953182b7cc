-- event:passthrough_event(): an event for one log line, which extends its parent.
--
-- One is outstanding per state at most; methods change the one created last, whichever object they are called on.
-- A log method consumes it. One that nobody logged before its call ended, waited or made another is dropped with an
-- error on the script event. Where Dovecot panics (use after the log) this raises. Mirrors dlua-dovecot.c (2.4.3).

local host = ...
local emit, location, new_handle, new_record, pending, wrong_event =
   host.emit, host.location, host.new_handle, host.new_record, host.pending, host.wrong_event
local error, format, rawget, select, setmetatable, type = error, string.format, rawget, select, setmetatable, type

-- The handles of all passthrough events, to tell their objects from others.
local handles = setmetatable({}, { __mode = "k" })

-- Drops the outstanding one. calls.lua calls it when a call ends or waits.
function host.abort_passthrough()
   local file, line = pending.file, pending.line
   pending.record = nil
   emit(host.script_record, "error", format("Passthrough event leaked by Lua script at %s:%d", file, line), file, line)
end

local function record_of(self)
   if type(self) ~= "table" or not handles[rawget(self, "item")] then
      wrong_event(self, 1)
   end
   if not pending.record then
      error("passthrough event already sent", 0)
   end
   return pending.record
end

local function record_to_log()
   local record = pending.record
   pending.record = nil
   return record
end

local metatable = host.event_metatable("struct event_passthrough", record_of, record_to_log)

function host.event_methods.passthrough_event(...)
   local count = select("#", ...)
   if count ~= 1 then
      host.wrong_count(1, count)
   end
   local parent = host.event_record((...), 1)
   if pending.record then
      host.abort_passthrough()
   end
   pending.record, pending.file, pending.line = new_record(parent), location()
   local handle = new_handle()
   handles[handle] = true
   return setmetatable({ item = handle }, metatable)
end
