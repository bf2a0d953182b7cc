-- How an event is sent and logged: prefixes, level, name, fields and source location of one log line.
--
-- event.lua and passthrough.lua call it with event records (Lua tables that scripts never see):
--   parent: the record above, nil for the script event · prefix, is_replacing: the own log prefix
--   name: of the next send · keys, kinds, values: own fields, keys in the order of their first setting
--   is_forced_debug, is_always_log_source: copied to records created below
-- Above the script event stands what the host sets for the invocation; Python adds that (workers/api/record.py).
-- Mirrors event-log.c and dlua-dovecot.c (2.4).

local host = ...
local native, getinfo = host.native, host.raw.getinfo
local log_event, wants_debug = native.log_event, native.wants_debug
local concat, match, setmetatable, sub = table.concat, string.match, setmetatable, string.sub
local knows_tail_calls = not native.is_lua51 and not native.is_luajit

local NO_FILE = "<non-file location>"

------------------------------------------------------------------------------------------------------------
-- Source location

-- Asking Lua for a function's source copies it, which for a script given as a string is the whole script.
local files = setmetatable({}, { __mode = "k" })

local function file_of(fn)
   local source, file = getinfo(fn, "S").source, NO_FILE
   if sub(source, 1, 1) == "@" then
      file = match(source, "^.*/(.*)$") or source
   end
   files[fn] = file
   return file
end

-- File and line of the code that called the function which calls this. The frame is lost in a tail call.
local function location()
   local info = getinfo(3, "lf")
   if not info or not info.func or (knows_tail_calls and getinfo(2, "t").istailcall) then
      return NO_FILE, 0
   end
   local line = info.currentline
   return files[info.func] or file_of(info.func), line > 0 and line or 0
end
host.location = location

------------------------------------------------------------------------------------------------------------
-- Rendering

-- Returns the replaced prefix, which goes in front of the level tag, or nil; and the text that goes behind the tag.
local function render(record, text)
   local event = record
   repeat
      local prefix = event.prefix
      if event.is_replacing then
         return prefix, text
      end
      if prefix then
         text = prefix .. text
      end
      event = event.parent
   until not event
   return nil, text
end

local function add_fields(event, parts, is_seen)
   local count = #parts
   local keys, kinds, values = event.keys, event.kinds, event.values
   for index = 1, #keys do
      local key = keys[index]
      -- A key without a value is one for which there was no memory.
      if not is_seen[key] and values and values[key] then
         is_seen[key] = true
         parts[count + 1], parts[count + 2] = key, kinds[key] .. values[key]
         count = count + 2
      end
   end
end

-- The fields of an event and of those above it, the nearest winning; nil if there are none. Form: key, then kind letter
-- and value, all separated by NULs, which neither can hold.
local function flatten(record)
   local parts, is_seen
   local event = record
   repeat
      if event.keys then
         parts, is_seen = parts or {}, is_seen or {}
         add_fields(event, parts, is_seen)
      end
      event = event.parent
   until not event
   return parts and concat(parts, "\0")
end

------------------------------------------------------------------------------------------------------------
-- Sending

-- Writes one line. `name` stands for this send only: it is gone afterwards, written or not.
local function emit(record, level, text, file, line)
   local name = record.name
   record.name = nil
   local head
   head, text = render(record, text)
   local fields = flatten(record)
   if level == "debug" and not record.is_forced_debug then
      if not wants_debug or not wants_debug(text, name, file, line, fields) then
         return
      end
   end
   log_event(level, head, text, name, file, line, record.is_always_log_source or false, fields)
end
host.emit = emit

-- Debug lines that nothing asked for are the common case: they are dropped before any work.
function host.emit_debug(record, text, file, line)
   if record.is_forced_debug or wants_debug then
      emit(record, "debug", text, file, line)
   else
      record.name = nil
   end
end

-- The event of the script: the ancestor of all that it makes. Its category and field are added by Python.
host.script_record = { is_forced_debug = false, is_always_log_source = false }

-- Logs what Dovecot itself would say about the script.
function host.made.log_on_script_event(level, text)
   emit(host.script_record, level, text, NO_FILE, 0)
end

-- Makes the record of an event below `parent`.
function host.new_record(parent)
   return {
      parent = parent,
      is_forced_debug = parent.is_forced_debug,
      is_always_log_source = parent.is_always_log_source,
   }
end
