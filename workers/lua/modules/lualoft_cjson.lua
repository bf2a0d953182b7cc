-- lualoft.cjson: makes the modules `cjson` and `cjson.safe`.
--
-- returns new(is_safe) -> a module with its own settings:
--    encode(value) -> text            raises (safe: returns nil, message) for what JSON cannot hold
--    decode(text) -> value            likewise; null becomes `null`, every number a float (Lua 5.3 on)
--    new() -> another module          null, empty_array, array_mt, empty_array_mt are the same in all of them
--    settings, each returns what holds now (see lualoft_cjsonsettings.lua)
--
-- Mirrors: lua-cjson 2.1.0 as in Debian (values, settings, texts), with OpenResty's additions: empty_array, array_mt,
-- empty_array_mt, decode_array_with_array_mt, encode_empty_table_as_object, decode_json_null, precision up to 16.

local reader, writer, marks = require "lualoft.jsonreader", require "lualoft.jsonwriter", require "lualoft.null"
local settings_of = require "lualoft.cjsonsettings"
local tokens = require "lualoft.cjsontokens"

local error, floor, format, getmetatable, next, select, tostring, type =
   error, math.floor, string.format, getmetatable, next, select, tostring, type
local find, sub, huge = string.find, string.sub, math.huge
local refuse = writer.refuse

local null, empty_array = marks.null, marks.new("empty_array")
local array_mt, empty_array_mt = {}, {}

local SPECIALS = { [null] = "null", [empty_array] = "[]" }
local quote_slash, quote_plain = writer.quoter({ ["/"] = "\\/" }), writer.quoter()

local function refuse_value(value, reason)
   refuse(format("Cannot serialise %s: %s", type(value), reason))
end

local function number_text(settings)
   local number_format = "%." .. settings.encode_number_precision .. "g"
   local invalid = settings.encode_invalid_numbers
   return function(number)
      if number ~= number or number == huge or number == -huge then
         if not invalid then
            refuse_value(number, "must not be NaN or Inf")
         elseif invalid == "null" then
            return "null"
         end
         return number ~= number and "nan" or number > 0 and "inf" or "-inf"
      end
      return format(number_format, number)
   end
end

-- Length of a table whose keys are all whole numbers from 1 on; nil for an object; a refusal when it is mostly holes.
local function array_length(settings, value)
   local max, count = 0, 0
   for key in next, value do
      if type(key) ~= "number" or key < 1 or floor(key) ~= key then
         return nil
      end
      count = count + 1
      if key > max then
         max = key
      end
   end
   local ratio = settings.sparse_ratio
   if ratio > 0 and max > count * ratio and max > settings.sparse_safe then
      if not settings.sparse_convert then
         refuse_value(value, "excessively sparse array")
      end
      return nil
   end
   return max
end

local function table_shape(settings)
   local max_depth = settings.encode_max_depth
   return function(value, depth)
      if depth > max_depth then
         refuse(format("Cannot serialise, excessive nesting (%d)", depth))
      end
      local meta = getmetatable(value)
      if meta == array_mt then
         return #value
      end
      local length = array_length(settings, value)
      if length == 0 and settings.encode_empty_table_as_object and meta ~= empty_array_mt then
         return nil
      end
      return length
   end
end

local function new_writer(settings)
   return writer.new({
      quote = settings.encode_escape_forward_slash and quote_slash or quote_plain,
      number = number_text(settings),
      shape = table_shape(settings),
      key = function(key)
         if type(key) ~= "number" then
            refuse_value(key, "table key must be a number or string")
         end
         return format("%." .. settings.encode_number_precision .. "g", key)
      end,
      specials = SPECIALS,
      unsupported = function(value)
         refuse_value(value, "type not supported")
      end,
   })
end

local function new_reader(settings)
   local accepts_invalid = settings.decode_invalid_numbers
   return reader.new({
      null = settings.decode_json_null and null or nil,
      as_floats = true,
      max_depth = settings.decode_max_depth,
      array_meta = settings.decode_array_with_array_mt and array_mt or nil,
      keeps_controls = true,
      odd_value = function(text, pos)
         return tokens.number(text, pos, accepts_invalid)
      end,
   })
end

-- Returns true and the value, or false and the message.
local function decode(settings, text)
   if find(text, "^%z") or find(text, "^.%z") then
      return false, "JSON parser does not support UTF-16 or UTF-32"
   end
   local nul = find(text, "%z")
   if nul then
      text = sub(text, 1, nul - 1) -- a C string ends here
   end
   settings.read = settings.read or new_reader(settings)
   local ok, value = settings.read(text)
   if not ok then
      value = tokens.message(text, value, settings.decode_invalid_numbers)
   end
   return ok, value
end

local function check_single(name, ...)
   if select("#", ...) ~= 1 then
      error(format("bad argument #1 to '%s' (expected 1 argument)", name), 3)
   end
end

local function encode(settings, value)
   settings.write = settings.write or new_writer(settings)
   return settings.write(value)
end

local function decode_any(settings, value)
   local kind = type(value)
   if kind == "number" then
      value = tostring(value)
   elseif kind ~= "string" then
      return false, format("bad argument #1 to 'decode' (string expected, got %s)", kind)
   end
   return decode(settings, value)
end

-- The public face of `work`: raises its message at the caller, or returns nil and the message.
local function exposed(name, work, settings, is_safe)
   return function(...)
      check_single(name, ...)
      local ok, result = work(settings, (...))
      if ok then
         return result
      elseif is_safe then
         return nil, result
      end
      error(result, 2)
   end
end

local function new(is_safe)
   local settings, module = settings_of.new()
   module.encode = exposed("encode", encode, settings, is_safe)
   module.decode = exposed("decode", decode_any, settings, is_safe)
   module.new = function()
      return new(is_safe)
   end
   module.null, module.empty_array = null, empty_array
   module.array_mt, module.empty_array_mt = array_mt, empty_array_mt
   module._NAME, module._VERSION = "cjson", "2.1.0"
   return module
end

return new
