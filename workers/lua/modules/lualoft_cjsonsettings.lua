-- lualoft.cjsonsettings: the settings of one cjson module and the functions that read and change them.
--
-- new() -> settings, functions. Each function takes a new value (nil changes nothing) and returns what holds:
--    encode_sparse_array(convert, ratio, safe)   boolean, whole numbers from 0
--    encode_max_depth, decode_max_depth          whole numbers from 1
--    encode_number_precision                     1 to 16
--    encode_keep_buffer, decode_invalid_numbers, decode_json_null, decode_array_with_array_mt,
--    encode_empty_table_as_object, encode_escape_forward_slash   boolean, "on" or "off"
--    encode_invalid_numbers                      boolean, "on", "off" or "null"
-- A change drops settings.read and settings.write, which lualoft_cjson.lua builds from the settings when needed.
--
-- Mirrors: lua-cjson 2.1.0's option functions, OpenResty's additions.

local error, floor, format, select, tonumber, type = error, math.floor, string.format, select, tonumber, type

--: lua-cjson keeps its limits in a C int.
local MAX_INT = 2147483647
--: OpenResty's limit; Debian's build stops at 14.
local MAX_PRECISION = 16

local BOOLEAN_WORDS = { on = true, off = false }
local INVALID_NUMBER_WORDS = { on = true, off = false, null = "null" }

local settings_of = {}

local function fail(name, position, reason)
   error(format("bad argument #%d to '%s' (%s)", position, name, reason), 4)
end

local function check_count(name, max, count)
   if count > max then
      fail(name, max + 1, "found too many arguments")
   end
end

local function chosen(name, position, value, words, old)
   if value == nil then
      return old
   elseif type(value) == "boolean" then
      return value
   elseif type(value) ~= "string" and type(value) ~= "number" then
      fail(name, position, "string expected, got " .. type(value))
   elseif words[value] == nil then
      fail(name, position, format("invalid option '%s'", value))
   end
   return words[value]
end

local function whole(name, position, value, min, max, old)
   if value == nil then
      return old
   end
   local number = tonumber(value)
   if not number then
      fail(name, position, "number expected, got " .. type(value))
   elseif number < min or number > max or floor(number) ~= number then
      fail(name, 1, format("expected integer between %d and %d", min, max)) -- lua-cjson always blames the first
   end
   return number
end

local function changed(settings)
   settings.read, settings.write = nil, nil
end

local function choice(settings, name, words)
   return function(...)
      check_count(name, 1, select("#", ...))
      settings[name] = chosen(name, 1, (...), words, settings[name])
      changed(settings)
      return settings[name]
   end
end

local function integer(settings, name, max)
   return function(...)
      check_count(name, 1, select("#", ...))
      settings[name] = whole(name, 1, (...), 1, max, settings[name])
      changed(settings)
      return settings[name]
   end
end

local function sparse_array(settings)
   local name = "encode_sparse_array"
   return function(convert, ratio, safe, ...)
      check_count(name, 3, 3 + select("#", ...))
      settings.sparse_convert = chosen(name, 1, convert, BOOLEAN_WORDS, settings.sparse_convert)
      settings.sparse_ratio = whole(name, 2, ratio, 0, MAX_INT, settings.sparse_ratio)
      settings.sparse_safe = whole(name, 3, safe, 0, MAX_INT, settings.sparse_safe)
      changed(settings)
      return settings.sparse_convert, settings.sparse_ratio, settings.sparse_safe
   end
end

local function defaults()
   return {
      sparse_convert = false,
      sparse_ratio = 2,
      sparse_safe = 10,
      encode_max_depth = 1000,
      decode_max_depth = 1000,
      encode_number_precision = 14,
      encode_keep_buffer = true,
      encode_invalid_numbers = false,
      decode_invalid_numbers = true,
      decode_json_null = true,
      decode_array_with_array_mt = false,
      encode_empty_table_as_object = true,
      encode_escape_forward_slash = true,
   }
end

function settings_of.new()
   local settings = defaults()
   local functions = { encode_sparse_array = sparse_array(settings) }
   for name, value in pairs(settings) do
      if type(value) == "boolean" and name ~= "sparse_convert" then
         functions[name] = choice(settings, name, BOOLEAN_WORDS)
      end
   end
   functions.encode_invalid_numbers = choice(settings, "encode_invalid_numbers", INVALID_NUMBER_WORDS)
   functions.encode_max_depth = integer(settings, "encode_max_depth", MAX_INT)
   functions.decode_max_depth = integer(settings, "decode_max_depth", MAX_INT)
   functions.encode_number_precision = integer(settings, "encode_number_precision", MAX_PRECISION)
   return settings, functions
end

return settings_of
