-- json: plain JSON, every mistake raised as an error.
--
-- encode(value) -> text. A table whose [1] is set, or that is empty, is an array; it must have no holes and no other
--    keys. Any other table is an object and must have string keys only. Whole numbers are written in full.
-- decode(text) -> value. `null` becomes nil: the member is left out, an array has a hole. From Lua 5.3 on, numbers
--    without point and exponent are integers.
-- null -> encodes as `null` (also json.util.null, as Debian's lua-json calls it).
-- Raises at the caller: "unexpected character 'x' at line 1 col 1", "invalid table: sparse array", ...
--
-- Mirrors: the behaviour and texts of rxi's json.lua 0.1.2; floats keep all their digits, which it cuts to 14.

local reader, writer, marks = require "lualoft.jsonreader", require "lualoft.jsonwriter", require "lualoft.null"
local position = require "lualoft.textposition"

local error, format, match, next, rawget, sub, tonumber, tostring, type =
   error, string.format, string.match, next, rawget, string.sub, tonumber, tostring, type
local huge, math_type = math.huge, math.type
local refuse = writer.refuse

--: Deeper tables are taken for circular ones; 1,000 is what decode allows too.
local MAX_DEPTH = 1000

------------------------------------------------------------------------------------------------------------
-- Encoding

local function number_text(number)
   if number ~= number or number >= huge or number <= -huge then
      refuse(format("unexpected number value '%s'", tostring(number)))
   end
   if math_type and math_type(number) == "integer" then
      return format("%d", number)
   end
   return writer.shortest(number)
end

local function check_array(array)
   local count = 0
   for key in next, array do
      if type(key) ~= "number" then
         refuse("invalid table: mixed or invalid key types")
      end
      count = count + 1
   end
   if count ~= #array then
      refuse("invalid table: sparse array")
   end
   return count
end

local function shape(value, depth)
   if depth > MAX_DEPTH then
      refuse("circular reference")
   end
   if rawget(value, 1) ~= nil or next(value) == nil then
      return check_array(value)
   end
   return nil
end

local write = writer.new({
   quote = writer.quoter(),
   number = number_text,
   shape = shape,
   key = function()
      refuse("invalid table: mixed or invalid key types")
   end,
   specials = { [marks.null] = "null" },
   unsupported = function(value)
      refuse(format("unexpected type '%s'", type(value)))
   end,
})

------------------------------------------------------------------------------------------------------------
-- Decoding

-- What tonumber() takes beyond strict JSON (`01`, `1.`, `0x10`); a word that is none is named whole.
local function odd_value(text, pos)
   local word = match(text, "^[^ \t\r\n%]},]*", pos)
   if not match(word, "^[-%d]") then
      return nil, nil, match(word, "^[tfn]") and format("invalid literal '%s'", word)
   end
   local number = tonumber(word)
   if number then
      return number, pos + #word
   end
   return nil, nil, format("invalid number '%s'", word)
end

local MESSAGES = {
   key = "expected string for key",
   colon = "expected ':' after key",
   object_end = "expected '}' or ','",
   array_end = "expected ']' or ','",
   the_end = "trailing garbage",
   depth = "nesting too deep",
   string_end = "expected closing quote for string",
   control = "control character in string",
   unicode = "invalid unicode escape in string",
}

local function message_of(text, failure)
   local code, pos = failure.code, failure.pos
   local message = MESSAGES[code] or failure.detail
   if code == "string_end" then
      pos = failure.start
   elseif code == "escape" then
      message = format("invalid escape char '%s' in string", sub(text, pos + 1, pos + 1))
   elseif code == "value" and not failure.detail then
      message = format("unexpected character '%s'", sub(text, pos, pos))
   end
   local line, column = position(text, pos)
   return format("%s at line %d col %d", message, line, column)
end

local read = reader.new({ max_depth = MAX_DEPTH, keeps_surrogates = true, odd_value = odd_value })

------------------------------------------------------------------------------------------------------------

local json = { null = marks.null, util = { null = marks.null }, _version = "0.1.2" }

function json.encode(value)
   local ok, text = write(value)
   if not ok then
      error(text, 2)
   end
   return text
end

function json.decode(text)
   if type(text) ~= "string" then
      error("expected argument of type string, got " .. type(text), 2)
   end
   local ok, value = read(text)
   if not ok then
      error(message_of(text, value), 2)
   end
   return value
end

return json
