-- lualoft.dkjsonwriter: dkjson's encoder.
--
-- encode(value [, state]) -> text, or true when state.buffer was given. Fields of state, all optional:
--    indent      true: one member of an object per line, two blanks a level; level: where to start (0)
--    keyorder    list of keys that come first, in that order (a table's metafield __jsonorder wins)
--    buffer, bufferlen   list of text parts and its length: the result is appended there
--    exception(reason, value, state, message) -> text to put in place, or nil, message; reason is one of
--                "reference cycle", "custom encoder failed", "unsupported type"
-- Metafields: __jsontype ("object" or "array", for empty tables), __jsonorder, __tojson(value, state) -> text, or true
-- when it appended to state.buffer itself, or nil, message.
-- Raises at the caller: "type 'function' is not supported by JSON.", "reference cycle", ...
-- null · quotestring(text) -> text · addnewline(state) · encodeexception: an `exception` that writes the message.
--
-- Mirrors: dkjson 2.6. Deviation: a field `n` counts as the array's length only when it is a whole number.

local error, floor, format, getmetatable, ipairs, pairs, setmetatable, tostring, type =
   error, math.floor, string.format, getmetatable, ipairs, pairs, setmetatable, tostring, type
local byte, concat, find, gsub, huge, rep =
   string.byte, table.concat, string.find, string.gsub, math.huge, string.rep

--: Arrays shorter than this may have any number of holes.
local MAX_FREE_HOLES = 10

local ESCAPES = {
   ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\",
}

local dkjsonwriter = { null = setmetatable({}, {
   __tojson = function()
      return "null"
   end,
}) }

local function escape(character)
   return ESCAPES[character] or format("\\u%04x", byte(character))
end

-- Characters outside ASCII that JavaScript or terminals treat as invisible: first and last code point of each range.
local INVISIBLE = {
   { 0xAD, 0xAD }, { 0x600, 0x604 }, { 0x70F, 0x70F }, { 0x17B4, 0x17B5 }, { 0x200C, 0x200F }, { 0x2028, 0x202F },
   { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF }, { 0xFFF0, 0xFFFF },
}

local function escape_invisible(character)
   local first, second, third = byte(character, 1, 3)
   local code = third and (first % 16) * 4096 + (second % 64) * 64 + third % 64 or (first % 32) * 64 + second % 64
   for _, range in ipairs(INVISIBLE) do
      if code >= range[1] and code <= range[2] then
         return format("\\u%04x", code)
      end
   end
   return nil
end

local function quote(text)
   if find(text, '[%c"\\]') then
      text = gsub(text, '[%c"\\]', escape)
   end
   if find(text, "[\194\216\220\225\226\239]") then
      text = gsub(text, "[\194\216\220][\128-\191]", escape_invisible)
      text = gsub(text, "[\225\226\239][\128-\191][\128-\191]", escape_invisible)
   end
   return '"' .. text .. '"'
end

local function number_text(number)
   if number ~= number or number >= huge or number <= -huge then
      return "null"
   end
   return tostring(number)
end

-- Length of a table that can be an array, nil for an object.
local function array_length(value)
   local max, count, given = 0, 0, 0
   for key, item in pairs(value) do
      if key == "n" and type(item) == "number" and item >= 0 and floor(item) == item then
         given = item
      elseif type(key) == "number" and key >= 1 and floor(key) == key then
         count = count + 1
         max = key > max and key or max
      else
         return nil
      end
   end
   if max > MAX_FREE_HOLES and max > given and max > count * 2 then
      return nil
   end
   return given > max and given or max
end

-- Appends to the state's buffer.
local function append(state, text)
   local length = state.bufferlen + 1
   state.buffer[length], state.bufferlen = text, length
end

function dkjsonwriter.addnewline(state)
   if state.indent then
      state.bufferlen = state.bufferlen or #state.buffer
      append(state, "\n")
      append(state, rep("  ", state.level or 0))
   end
end

-- Asks the state's exception(); returns true, or nil and the message when the encoding must end.
local function except(reason, value, state, message)
   message = message or reason
   if not state.exception then
      return nil, message
   end
   local length = state.bufferlen
   local text, own_message = state.exception(reason, value, state, message)
   if not text then
      return nil, own_message or message
   end
   if type(text) == "string" and state.bufferlen == length then
      append(state, text)
   end
   return true
end

local write

local function write_array(value, length, state)
   append(state, "[")
   state.level = state.level + 1
   for index = 1, length do
      if index > 1 then
         append(state, ",")
      end
      local ok, message = write(value[index], state)
      if not ok then
         return nil, message
      end
   end
   state.level = state.level - 1
   append(state, "]")
   return true
end

local function write_pair(key, value, state, is_first)
   local kind = type(key)
   if kind ~= "string" and kind ~= "number" then
      return nil, format("type '%s' is not supported as a key by JSON.", kind)
   end
   if not is_first then
      append(state, ",")
   end
   dkjsonwriter.addnewline(state)
   append(state, quote(kind == "number" and number_text(key) or key))
   append(state, ":")
   return write(value, state)
end

-- The keys in the order in which they are written: those of `order` first.
local function ordered_keys(value, order)
   local keys, is_done = {}, {}
   for _, key in ipairs(order or {}) do
      if value[key] ~= nil and not is_done[key] then
         keys[#keys + 1], is_done[key] = key, true
      end
   end
   for key in pairs(value) do
      if not is_done[key] then
         keys[#keys + 1] = key
      end
   end
   return keys
end

local function write_object(value, state, order)
   append(state, "{")
   state.level = state.level + 1
   for index, key in ipairs(ordered_keys(value, order)) do
      local ok, message = write_pair(key, value[key], state, index == 1)
      if not ok then
         return nil, message
      end
   end
   state.level = state.level - 1
   dkjsonwriter.addnewline(state)
   append(state, "}")
   return true
end

local function write_custom(value, state, to_json)
   local length = state.bufferlen
   local text, message = to_json(value, state)
   if not text then
      return except("custom encoder failed", value, state, message)
   end
   if type(text) == "string" and state.bufferlen == length then
      append(state, text)
   end
   return true
end

local function write_table(value, state)
   if state.tables[value] then
      return except("reference cycle", value, state)
   end
   state.tables[value] = true
   local meta = getmetatable(value)
   meta = type(meta) == "table" and meta or {}
   local length = array_length(value)
   local ok, message
   if meta.__tojson then
      ok, message = write_custom(value, state, meta.__tojson)
   elseif length and not (length == 0 and meta.__jsontype == "object") then
      ok, message = write_array(value, length, state)
   else
      ok, message = write_object(value, state, meta.__jsonorder or state.keyorder)
   end
   state.tables[value] = nil
   return ok, message
end

function write(value, state)
   local kind = type(value)
   if kind == "table" then
      return write_table(value, state)
   elseif kind == "string" then
      append(state, quote(value))
   elseif kind == "number" then
      append(state, number_text(value))
   elseif kind == "boolean" or kind == "nil" then
      append(state, kind == "nil" and "null" or tostring(value))
   else
      return except("unsupported type", value, state, format("type '%s' is not supported by JSON.", kind))
   end
   return true
end

function dkjsonwriter.encode(value, state)
   state = state or {}
   local is_own_buffer, level, tables = not state.buffer, state.level, state.tables
   state.buffer = state.buffer or {}
   state.bufferlen = state.bufferlen or #state.buffer
   state.tables, state.level = tables or {}, level or 0
   local ok, message = write(value, state)
   state.tables, state.level = tables, level
   if not ok then
      error(message, 2)
   elseif not is_own_buffer then
      return true
   end
   local text = concat(state.buffer, "", 1, state.bufferlen)
   state.buffer, state.bufferlen = nil, nil
   return text
end

function dkjsonwriter.quotestring(text)
   return quote(text)
end

function dkjsonwriter.encodeexception(_, _, _, message)
   return quote("<" .. message .. ">")
end

return dkjsonwriter
