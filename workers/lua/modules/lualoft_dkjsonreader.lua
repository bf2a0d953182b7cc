-- lualoft.dkjsonreader: dkjson's forgiving parser.
--
-- decode(text [, pos [, null [, object_meta [, array_meta]]]]) -> value, position after it; or nil, position, message.
--    pos          where to start (1); text after the value is left alone
--    null         what `null` becomes (nil: the member is left out)
--    object_meta, array_meta   metatables of the tables made; when neither is given, { __jsontype = "object" } and
--                 { __jsontype = "array" }; an explicit nil means none
-- Accepted beyond JSON: comments, a byte order mark, missing and trailing commas, any value but null as a key, unknown
-- escapes (the letter stays).
--
-- Mirrors: dkjson 2.6. Deviation: more than 1,000 levels are an error instead of a stack overflow.

local position, utf8_char = require "lualoft.textposition", require "lualoft.jsonstring".utf8_char

local byte, concat, error, find, format, match, select, setmetatable, sub, tonumber, tostring, type =
   string.byte, table.concat, error, string.find, string.format, string.match, select, setmetatable, string.sub,
   tonumber, tostring, type

--: How deep documents may nest.
local MAX_DEPTH = 1000

local OBJECT_META, ARRAY_META = { __jsontype = "object" }, { __jsontype = "array" }
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function place(text, pos)
   return format("line %d, column %d", position(text, pos))
end

local function unterminated(text, what, start)
   return nil, #text + 1, format("unterminated %s at %s", what, place(text, start))
end

-- Position of the next character that is neither blank nor comment; nil at the end.
local function skip(text, pos)
   while true do
      pos = find(text, "%S", pos)
      if not pos then
         return nil
      end
      local two = sub(text, pos, pos + 1)
      if two == "\239\187" and byte(text, pos + 2) == 191 then
         pos = pos + 3
      elseif two == "//" then
         pos = find(text, "[\n\r]", pos + 2)
      elseif two == "/*" then
         pos = find(text, "*/", pos + 2, true)
         pos = pos and pos + 2
      else
         return pos
      end
      if not pos then
         return nil
      end
   end
end

-- The character of an escape at `pos` (its backslash) and the position after it; an unknown escape is its letter.
local function read_escape(text, pos)
   local digits = match(text, "^u(%x%x%x%x)", pos + 1)
   if not digits then
      local letter = sub(text, pos + 1, pos + 1)
      return ESCAPES[letter] or letter, pos + 2
   end
   local code = tonumber(digits, 16)
   local low = code >= 0xD800 and code <= 0xDBFF and match(text, "^\\u([dD][c-fC-F]%x%x)", pos + 6)
   if low then
      return utf8_char(0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), pos + 12
   end
   return utf8_char(code), pos + 6
end

local function read_string(text, start)
   local parts, count, pos = {}, 0, start + 1
   while true do
      local stop = find(text, '["\\]', pos)
      if not stop or stop == #text and byte(text, stop) == 92 then
         return unterminated(text, "string", start)
      end
      parts[count + 1] = sub(text, pos, stop - 1)
      if byte(text, stop) == 34 then
         return concat(parts), stop + 1
      end
      count = count + 2
      parts[count], pos = read_escape(text, stop)
   end
end

local function read_plain(text, pos, null)
   local _, last = find(text, "^%-?[%d.]+[eE]?[+-]?%d*", pos)
   local number = last and tonumber(sub(text, pos, last))
   if number then
      return number, last + 1
   end
   local word = match(text, "^%a%w*", pos)
   if word == "true" or word == "false" then
      return word == "true", pos + #word
   elseif word == "null" then
      return null, pos + 4
   end
   return nil, pos, "no valid JSON value at " .. place(text, pos)
end

local read_members

-- Returns value, position after it; or nil, position, message. `settings` holds null, object_meta, array_meta.
local function read_value(text, pos, settings, depth)
   pos = skip(text, pos)
   if not pos then
      return nil, #text + 1, "no valid JSON value (reached the end)"
   end
   local first = byte(text, pos)
   if first == 34 then
      return read_string(text, pos)
   elseif first ~= 123 and first ~= 91 then
      return read_plain(text, pos, settings.null)
   elseif depth > MAX_DEPTH then
      return nil, pos, "nesting too deep at " .. place(text, pos)
   elseif first == 123 then
      return read_members(text, pos, settings, depth, "object", 125, settings.object_meta)
   end
   return read_members(text, pos, settings, depth, "array", 93, settings.array_meta)
end

-- `key` was read and `colon` stands at its colon: puts the value into the table. Returns the position after it, or the
-- position and the message of a mistake.
local function read_pair(text, key, colon, members, settings, depth)
   if key == nil then
      return colon, format("cannot use nil as table index (at %s)", place(text, colon))
   end
   local value, pos, message = read_value(text, colon + 1, settings, depth + 1)
   if not message then
      members[key] = value
   end
   return pos, message
end

-- Objects and arrays are read alike: an item with a colon after it is a key, any other the next element.
function read_members(text, start, settings, depth, what, closer, meta)
   local members, length = setmetatable({}, meta), 0
   local pos = start + 1
   while true do
      pos = skip(text, pos)
      if pos and byte(text, pos) == closer then
         return members, pos + 1
      end
      local item, message
      if pos then
         item, pos, message = read_value(text, pos, settings, depth + 1)
         if message then
            return nil, pos, message
         end
         pos = skip(text, pos)
      end
      if pos and byte(text, pos) == 58 then
         if not skip(text, pos + 1) then
            return unterminated(text, what, start)
         end
         pos, message = read_pair(text, item, pos, members, settings, depth)
         if message then
            return nil, pos, message
         end
         pos = skip(text, pos)
      elseif pos then
         length = length + 1
         members[length] = item
      end
      if not pos then
         return unterminated(text, what, start)
      end
      if byte(text, pos) == 44 then
         pos = pos + 1
      end
   end
end

local dkjsonreader = {}

function dkjsonreader.decode(text, pos, null, ...)
   if type(text) == "number" then
      text = tostring(text)
   elseif type(text) ~= "string" then
      error(format("bad argument #1 to 'decode' (string expected, got %s)", type(text)), 2)
   end
   local object_meta, array_meta = ...
   if select("#", ...) == 0 then
      object_meta, array_meta = OBJECT_META, ARRAY_META
   end
   local settings = { null = null, object_meta = object_meta, array_meta = array_meta }
   return read_value(text, pos or 1, settings, 1)
end

return dkjsonreader
