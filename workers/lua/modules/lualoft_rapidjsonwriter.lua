-- lualoft.rapidjsonwriter: rapidjson's encoder.
--
-- write(value, options) -> true, text; or false, message. Options: see rapidjson.lua.
--
-- Mirrors: lua-rapidjson 0.7 and RapidJSON's Writer and PrettyWriter.

local base, marks = require "lualoft.jsonwriter", require "lualoft.null"

local concat, floor, format, getmetatable, ipairs, match, next, pairs, rep, sort, tonumber, type =
   table.concat, math.floor, string.format, getmetatable, ipairs, string.match, next, pairs, string.rep, table.sort,
   tonumber, type
local refuse = base.refuse

--: Levels that lua-rapidjson allows unless the option max_depth says otherwise.
local DEFAULT_MAX_DEPTH = 128
--: RapidJSON prints numbers below 10^21 without an exponent.
local MAX_PLAIN_DIGITS = 21
local INDENT = "    "

local quote = base.quoter({ ["\127"] = "\127" })

-- The float's digits without point and zeros around, and the decimal exponent of the point: 0.25 -> "25", 0.
local function digits_of(number)
   for precision = 14, 16 do
      local text = format("%." .. precision .. "e", number)
      if tonumber(text) == number or precision == 16 then
         local whole, fraction, exponent = match(text, "^(%d)%.(%d+)e([+-]%d+)$")
         return (match(whole .. fraction, "^(.-)0*$")), tonumber(exponent) + 1
      end
   end
   return nil
end

-- A positive float as RapidJSON prints it: 100000000000000000000.0, 0.001, 1e-7, 2.5e30.
local function float_text(number)
   local digits, point = digits_of(number)
   local length = #digits
   if length <= point and point <= MAX_PLAIN_DIGITS then
      return digits .. rep("0", point - length) .. ".0"
   elseif point > 0 and point <= MAX_PLAIN_DIGITS then
      return digits:sub(1, point) .. "." .. digits:sub(point + 1)
   elseif point > -6 and point <= 0 then
      return "0." .. rep("0", -point) .. digits
   end
   local mantissa = length == 1 and digits or digits:sub(1, 1) .. "." .. digits:sub(2)
   return mantissa .. "e" .. format("%d", point - 1)
end

local function number_text(number)
   if number ~= number or number == 1 / 0 or number == -1 / 0 then
      refuse("error while encode double value.")
   elseif floor(number) == number and number >= -2 ^ 63 and number < 2 ^ 63 then
      return number == 0 and "0" or format("%d", number)
   elseif number < 0 then
      return "-" .. float_text(-number)
   end
   return float_text(number)
end

local function is_array(value, options)
   local meta = getmetatable(value)
   local kind = type(meta) == "table" and meta.__jsontype
   if kind then
      return kind == "array"
   end
   if #value > 0 then
      return true
   end
   return options.empty_table_as_array and next(value) == nil
end

local function string_keys(object, is_sorted)
   local keys = {}
   for key in pairs(object) do
      if type(key) == "string" then
         keys[#keys + 1] = key
      end
   end
   if is_sorted then
      sort(keys)
   end
   return keys
end

local write_value

local function append(parts, text)
   parts[#parts + 1] = text
end

-- The members of one array or object, each on a line of its own when pretty.
local function write_members(parts, members, opener, closer, options, depth)
   append(parts, opener)
   for index, member in ipairs(members) do
      append(parts, index > 1 and "," or "")
      append(parts, options.pretty and "\n" .. rep(INDENT, depth) or "")
      if member.key then
         append(parts, quote(member.key) .. (options.pretty and ": " or ":"))
      end
      write_value(parts, member.value, options, depth)
   end
   if options.pretty and #members > 0 then
      append(parts, "\n" .. rep(INDENT, depth - 1))
   end
   append(parts, closer)
end

local function write_table(parts, value, options, depth)
   if depth > (options.max_depth or DEFAULT_MAX_DEPTH) then
      refuse("nested too depth")
   end
   local members = {}
   if is_array(value, options) then
      for index = 1, #value do
         members[index] = { value = value[index] }
      end
      return write_members(parts, members, "[", "]", options, depth)
   end
   for index, key in ipairs(string_keys(value, options.sort_keys)) do
      members[index] = { key = key, value = value[key] }
   end
   return write_members(parts, members, "{", "}", options, depth)
end

function write_value(parts, value, options, depth)
   local kind = type(value)
   if value == nil or value == marks.null then
      append(parts, "null")
   elseif kind == "table" then
      write_table(parts, value, options, depth + 1)
   elseif kind == "string" then
      append(parts, quote(value))
   elseif kind == "number" then
      append(parts, number_text(value))
   elseif kind == "boolean" then
      append(parts, value and "true" or "false")
   else
      refuse("value type : " .. kind)
   end
end

local rapidjsonwriter = {}

function rapidjsonwriter.write(value, options)
   return base.caught(function()
      local parts = {}
      write_value(parts, value, options, 0)
      return concat(parts)
   end)
end

return rapidjsonwriter
