-- lualoft.cjsontokens: lua-cjson's lexer as far as it shows: numbers that strict JSON lacks, and the words of errors.
--
-- number(text, pos, accepts_invalid) -> value, next position; or nil: what C's strtod() takes beyond JSON's grammar
--    (`+1`, `01`, `1.`) and, when accepted, hexadecimals, infinity and NaN.
-- message(text, failure, accepts_invalid) -> "Expected value but found T_END at character 1", `failure` being
--    lualoft.jsonreader's.
--
-- Mirrors: lua-cjson 2.1.0 (texts and positions compared with Debian's build).

local reader = require "lualoft.jsonreader"

local find, format, lower, sub, tonumber, type = string.find, string.format, string.lower, string.sub, tonumber, type

local EXPECTED = {
   value = "value", key = "object key string", colon = "colon", object_end = "comma or object end",
   array_end = "comma or array end", the_end = "the end",
}
local STRING_ERRORS = {
   string_end = "unexpected end of string", escape = "invalid escape code", unicode = "invalid unicode escape code",
   surrogate = "invalid unicode escape code",
}
local TOKENS = {
   [""] = "T_END", ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
   [":"] = "T_COLON", [","] = "T_COMMA",
}
local WORDS = { ["true"] = "T_BOOLEAN", ["false"] = "T_BOOLEAN", ["null"] = "T_NULL" }

-- 0 / 0 has its sign set on common hardware and would print as "-nan".
local NAN = -(0 / 0)

local tokens = {}

-- `inf`, `infinity`, `nan` in any case, with or without a sign.
local function read_word(text, pos)
   local _, last, sign, word = find(text, "^([+-]?)(%a+)", pos)
   word = word and lower(word)
   local value, length
   if word and sub(word, 1, 3) == "inf" then
      value, length = math.huge, sub(word, 1, 8) == "infinity" and 8 or 3
   elseif word and sub(word, 1, 3) == "nan" then
      value, length = NAN, 3
   else
      return nil
   end
   return sign == "-" and -value or value, last - #word + length + 1
end

local function read_hexadecimal(text, pos)
   local _, last, sign, digits = find(text, "^([+-]?)0[xX](%x+)", pos)
   if not last then
      return nil
   end
   local value = 0.0
   for index = 1, #digits do
      value = value * 16 + tonumber(sub(digits, index, index), 16)
   end
   return sign == "-" and -value or value, last + 1
end

local function read_decimal(text, pos)
   local _, last = find(text, "^[+-]?%d+%.?%d*", pos)
   if not last then
      _, last = find(text, "^[+-]%.%d+", pos)
   end
   if not last then
      return nil
   end
   local _, exponent_last = find(text, "^[eE][+-]?%d+", last + 1)
   last = exponent_last or last
   return tonumber(sub(text, pos, last)) + 0.0, last + 1
end

function tokens.number(text, pos, accepts_invalid)
   if find(text, "^[+%-%d]", pos) then
      if accepts_invalid then
         local value, next_pos = read_hexadecimal(text, pos)
         if not value then
            value, next_pos = read_word(text, pos)
         end
         if value then
            return value, next_pos
         end
      elseif find(text, "^%+", pos) or find(text, "^-?0[%dxX]", pos) then
         return nil
      end
      return read_decimal(text, pos)
   elseif accepts_invalid and find(text, "^[iInN]", pos) then
      return read_word(text, pos)
   end
   return nil
end

-- Strings are read again on their own: whether and where they break off decides their name.
local read_string = reader.new({ keeps_controls = true })

-- What stands at `pos`, in cjson's words, and the position that it blames.
local function found(text, pos, accepts_invalid)
   local first = sub(text, pos, pos)
   if first == '"' then
      local ok, failure = read_string(sub(text, pos))
      if not ok and type(failure) == "table" and STRING_ERRORS[failure.code] and failure.start == 1 then
         return STRING_ERRORS[failure.code], failure.pos + pos - 1
      end
      return "T_STRING", pos
   end
   for word, name in pairs(WORDS) do
      if sub(text, pos, pos + #word - 1) == word then
         return name, pos
      end
   end
   if find(first, "^[+%-%d]") then
      return tokens.number(text, pos, accepts_invalid) and "T_NUMBER" or "invalid number", pos
   end
   if tokens.number(text, pos, accepts_invalid) then
      return "T_NUMBER", pos
   end
   return TOKENS[first] or "invalid token", pos
end

function tokens.message(text, failure, accepts_invalid)
   local code, pos = failure.code, failure.pos
   if code == "depth" then
      return format("Found too many nested data structures (%d) at character %d", failure.detail, pos)
   end
   local name = STRING_ERRORS[code]
   if name then
      code = failure.detail
   else
      name, pos = found(text, pos, accepts_invalid)
   end
   return format("Expected %s but found %s at character %d", EXPECTED[code], name, pos)
end

return tokens
