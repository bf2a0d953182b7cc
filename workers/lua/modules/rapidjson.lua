-- rapidjson: JSON with sorted keys and pretty printing; decode() returns its errors, encode() raises them.
--
-- encode(value [, options]) -> text. Options: pretty (four blanks a level), sort_keys, empty_table_as_array, max_depth
--    (128). A table is an array when its metafield __jsontype is "array", or it has none and # is above 0; any other is
--    an object, of which only string keys are written. Raises "value type : function", "nested too depth", ...
-- decode(text) -> value; or nil, message with the 0-based offset: "Invalid value. (5)". Arrays and objects get the
--    metafield __jsontype, so that an empty array stays one.
-- load(path) -> as decode · dump(value, path [, options]) -> true; or false, message
-- null · object([table]), array([table]) -> the table, marked · _NAME · _VERSION
-- Document, SchemaDocument, SchemaValidator raise: not available.
--
-- Mirrors: lua-rapidjson 0.7 (API.md, its specs) without documents and schemas; numbers as RapidJSON's Writer prints
-- them, whole numbers in the range of a 64-bit integer without a point.

local reader, marks = require "lualoft.jsonreader", require "lualoft.null"
local writer = require "lualoft.rapidjsonwriter"

local error, find, format, getmetatable, gsub, ipairs, setmetatable, tostring, type =
   error, string.find, string.format, getmetatable, string.gsub, ipairs, setmetatable, tostring, type

local OBJECT_META, ARRAY_META = { __jsontype = "object" }, { __jsontype = "array" }

local MESSAGES = {
   key = "Missing a name for object member.",
   colon = "Missing a colon after a name of object member.",
   object_end = "Missing a comma or '}' after an object member.",
   array_end = "Missing a comma or ']' after an array element.",
   the_end = "The document root must not follow by other values.",
   depth = "Terminate parsing due to Handler error.",
   string_end = "Missing a closing quotation mark in string.",
   control = "Invalid encoding in string.",
   escape = "Invalid escape character in string.",
   unicode = "Incorrect hex digit after \\u escape in string.",
   surrogate = "The surrogate pair in string is invalid.",
}

-- Strict JSON has no value at `pos`: a zero before other digits ends the number, the rest is named.
local function odd_value(text, pos)
   local _, last = find(text, "^-?0", pos)
   if last and not find(text, "^[.eE]", last + 1) then
      return 0, last + 1
   elseif find(text, "^-?%d+%.", pos) and not find(text, "^-?%d+%.%d", pos) then
      return nil, nil, "Miss fraction part in number."
   elseif find(text, "^-?%d+%.?%d*[eE][+-]?[^%d+-]", pos) or find(text, "^-?%d+%.?%d*[eE][+-]?$", pos) then
      return nil, nil, "Miss exponent in number."
   elseif find(text, "^-?%d", pos) then
      return nil, nil, "Number too big to be stored in double."
   end
   return nil, nil, pos > #text and find(text, "^[ \n\r\t]*$") and "The document is empty." or "Invalid value."
end

local read = reader.new({
   null = marks.null,
   object_meta = OBJECT_META,
   array_meta = ARRAY_META,
   odd_value = odd_value,
   refuses_overflow = true,
})

local rapidjson = { null = marks.null, _NAME = "rapidjson", _VERSION = "0.7.2" }

function rapidjson.decode(text)
   if type(text) == "number" then
      text = tostring(text)
   elseif type(text) ~= "string" then
      error(format("bad argument #1 to 'decode' (string expected, got %s)", type(text)), 2)
   end
   local ok, value = read(text)
   if ok then
      return value
   end
   return nil, format("%s (%d)", MESSAGES[value.code] or value.detail, value.pos - 1)
end

local function check_options(options, position, name)
   if options ~= nil and type(options) ~= "table" then
      error(format("bad argument #%d to '%s' (table expected, got %s)", position, name, type(options)), 3)
   end
end

function rapidjson.encode(value, options)
   check_options(options, 2, "encode")
   local ok, text = writer.write(value, options or {})
   if not ok then
      error(text, 2)
   end
   return text
end

function rapidjson.load(path)
   local file, message = io.open(path, "rb")
   if not file then
      return nil, message
   end
   local text = file:read("*a")
   file:close()
   return rapidjson.decode((gsub(text, "^\239\187\191", "")))
end

function rapidjson.dump(value, path, options)
   check_options(options, 3, "dump")
   local ok, text = writer.write(value, options or {})
   if not ok then
      return false, text
   end
   local file, message = io.open(path, "wb")
   if not file then
      return false, message
   end
   file:write(text)
   file:close()
   return true
end

local function marked(meta)
   return function(value)
      value = value or {}
      local own = getmetatable(value)
      if own and own ~= OBJECT_META and own ~= ARRAY_META then
         own.__jsontype = meta.__jsontype
         return value
      end
      return setmetatable(value, meta)
   end
end

rapidjson.object, rapidjson.array = marked(OBJECT_META), marked(ARRAY_META)

for _, name in ipairs({ "Document", "SchemaDocument", "SchemaValidator" }) do
   rapidjson[name] = function()
      error(format("rapidjson.%s is not available in lualoft: use decode and encode", name), 2)
   end
end

return rapidjson
