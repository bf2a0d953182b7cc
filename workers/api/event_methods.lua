-- The methods that events and passthrough events share.
--
-- event.lua and passthrough.lua each build one set: `record_of(self)` gives the record behind the object or raises,
-- `record_to_log(self)` likewise, for a log method. Every method returns the object it was called on. Strings end at
-- their first NUL. Mirrors dlua-dovecot.c (2.3 and 2.4).

local host = ...
local check_integer, check_string, expect, emit, emit_debug, location =
   host.check_integer, host.check_string, host.expect_exactly, host.emit, host.emit_debug, host.location
local format, tonumber = string.format, tonumber

local STRING, INTEGER, TIME = "s", "i", "t"

-- Without the log's help: Lua 5.1 would write a large integer as 1e+15.
local function integer_text(value)
   return format("%d", value)
end

-- Step by step, each harmless without the next: memory may end at any of them, and an event may outlive its call.
local function set_field(record, key, kind, value)
   if not record.values then
      record.keys = {}
      record.kinds = {}
      record.values = {}
   end
   local keys, values = record.keys, record.values
   if values[key] == nil then
      keys[#keys + 1] = key
      record.kinds[key] = kind
      values[key] = value
   else
      record.kinds[key], values[key] = kind, value
   end
end

local function increased(record, key, difference)
   if record.values and record.kinds[key] == INTEGER then
      return integer_text(tonumber(record.values[key]) + difference)
   end
   return integer_text(difference)
end

local function add_setters(methods, record_of)
   -- append_log_prefix(prefix): the event's own prefix, behind those of its ancestors.
   function methods.append_log_prefix(...)
      expect(2, ...)
      local self, prefix = ...
      local record = record_of(self)
      record.prefix, record.is_replacing = check_string(prefix, 2), false
      return self
   end

   -- replace_log_prefix(prefix): the event's own prefix, in place of those of its ancestors and of the process.
   function methods.replace_log_prefix(...)
      expect(2, ...)
      local self, prefix = ...
      local record = record_of(self)
      record.prefix, record.is_replacing = check_string(prefix, 2), true
      return self
   end

   -- set_name(name): the name of the next send.
   function methods.set_name(...)
      expect(2, ...)
      local self, name = ...
      record_of(self).name = check_string(name, 2)
      return self
   end

   -- set_always_log_source(): a flag that events created below take over.
   function methods.set_always_log_source(...)
      expect(1, ...)
      local self = ...
      record_of(self).is_always_log_source = true
      return self
   end
end

local function add_fields(methods, record_of)
   -- add_str(key, value): "" hides the field of that name further up.
   function methods.add_str(...)
      expect(3, ...)
      local self, key, value = ...
      local record = record_of(self)
      key = check_string(key, 2)
      set_field(record, key, STRING, check_string(value, 3))
      return self
   end

   -- add_int(key, number)
   function methods.add_int(...)
      expect(3, ...)
      local self, key, value = ...
      local record = record_of(self)
      key = check_string(key, 2)
      set_field(record, key, INTEGER, integer_text(check_integer(value, 3)))
      return self
   end

   -- add_timeval(key, seconds): a time, in whole seconds.
   function methods.add_timeval(...)
      expect(3, ...)
      local self, key, value = ...
      local record = record_of(self)
      key = check_string(key, 2)
      set_field(record, key, TIME, integer_text(check_integer(value, 3)))
      return self
   end

   -- inc_int(key, difference): adds to the event's own integer; starts at the difference if it has none itself.
   function methods.inc_int(...)
      expect(3, ...)
      local self, key, value = ...
      local record = record_of(self)
      key = check_string(key, 2)
      set_field(record, key, INTEGER, increased(record, key, check_integer(value, 3)))
      return self
   end
end

local function add_logs(methods, record_of, record_to_log)
   -- log_debug(text): written only if debug is forced or a filter asks for it.
   function methods.log_debug(...)
      expect(2, ...)
      local self, text = ...
      record_of(self)
      text = check_string(text, 2)
      emit_debug(record_to_log(self), text, location())
      return self
   end

   -- log_info, log_warning, log_error(text): always written.
   for _, level in ipairs({ "info", "warning", "error" }) do
      methods["log_" .. level] = function(...)
         expect(2, ...)
         local self, text = ...
         record_of(self)
         text = check_string(text, 2)
         emit(record_to_log(self), level, text, location())
         return self
      end
   end
end

-- Builds the set: a metatable that is its own __index, as Dovecot's are.
function host.event_metatable(name, record_of, record_to_log)
   local methods = { __name = name }
   methods.__index = methods
   add_setters(methods, record_of)
   add_fields(methods, record_of)
   add_logs(methods, record_of, record_to_log)
   host.method_tables[#host.method_tables + 1] = methods
   return methods
end
