-- lualoft.jsonreader: the JSON parser behind json, cjson and rapidjson; each of them words its own errors.
--
-- new(options) -> read. Options, all optional:
--    null          what `null` becomes; nil leaves the member out and a hole in an array
--    refuses_overflow  a number beyond a double is no value (else infinity)
--    as_floats     every number becomes a float (Lua 5.3 on), as a C double would
--    max_depth     how many arrays and objects may stand inside each other (1000)
--    object_meta, array_meta   metatables for the tables made
--    keeps_controls    control characters may stand raw in a string
--    keeps_surrogates  \ud800 without its partner becomes three bytes instead of an error
--    odd_value(text, pos) -> value, next position; nil, nil, what is wrong: asked where strict JSON has no value
-- read(text) -> true, value; or false, failure = { code, pos, detail, start }: pos is 1-based, code is one of
--    value  key  colon  object_end (comma or `}` missing)  array_end  the_end (text after the value)
--    depth (detail: the depth)
--    string_end  control  escape  unicode  surrogate (detail: "key" or "value", start: the opening quote)
--    An error of Lua itself (no memory) is raised.

local strings = require "lualoft.jsonstring"

local byte, error, find, huge, pcall, setmetatable, sub, tonumber, type =
   string.byte, error, string.find, math.huge, pcall, setmetatable, string.sub, tonumber, type
local fail, read_odd_string = strings.fail, strings.read

--: How deep documents nest at most unless the library says otherwise; past it Lua's own stack would be in danger.
local DEFAULT_MAX_DEPTH = 1000

local BLANK = { [9] = true, [10] = true, [13] = true, [32] = true }
local LITERALS = { [102] = "false", [110] = "null", [116] = "true" }
-- Lua 5.1 has no constant for it: 0.0 and -0.0 would share one.
local NEGATIVE_ZERO = -1 / huge

local function skip_blanks(text, pos)
   return find(text, "[^ \n\r\t]", pos) or #text + 1
end

-- A number in strict JSON form. Returns nil when there is none.
local function read_number(text, pos)
   local _, last, digits, point = find(text, "^(-?[1-9]%d*)([.eE]?)", pos)
   if not last then
      _, last, digits, point = find(text, "^(-?0)([.eE%dxX]?)", pos)
   end
   if point == "" then
      return tonumber(digits), last + 1
   elseif point == "." then
      _, last = find(text, "^%d+", last + 1)
      if last and find(text, "^[eE]", last + 1) then
         _, last = find(text, "^[eE][+-]?%d+", last + 1)
      end
   elseif last then
      _, last = find(text, "^[eE][+-]?%d+", last)
   end
   if last then
      return tonumber(sub(text, pos, last)), last + 1
   end
   return nil
end

-- What is neither string, array nor object: literals, numbers, and what only one library knows.
local function scalar_reader(options)
   local null, as_floats, odd_value = options.null, options.as_floats, options.odd_value
   local refuses_overflow = options.refuses_overflow

   local function read_any_number(text, pos)
      local value, next_pos = read_number(text, pos)
      if not value or refuses_overflow and (value == huge or value == -huge) then
         return nil
      elseif as_floats then
         value = (value == 0 and byte(text, pos) == 45) and NEGATIVE_ZERO or value + 0.0
      end
      return value, next_pos
   end

   return function(text, pos, c)
      local word = LITERALS[c]
      if word and sub(text, pos, pos + #word - 1) == word then
         if c == 110 then
            return null, pos + 4
         end
         return c == 116, pos + #word
      end
      local value, next_pos = read_any_number(text, pos)
      local detail
      if not next_pos and odd_value then
         value, next_pos, detail = odd_value(text, pos)
      end
      if not next_pos then
         fail("value", pos, detail)
      end
      return value, next_pos
   end
end

-- The readers of strings, arrays and objects, which call each other. Their loops are the hot path: a plain string or a
-- whole number costs one find(), blanks cost nothing where there are none.
local function value_reader(options)
   local max_depth = options.max_depth or DEFAULT_MAX_DEPTH
   local object_meta, array_meta = options.object_meta, options.array_meta
   local as_floats, keeps_controls = options.as_floats, options.keeps_controls
   local read_scalar = scalar_reader(options)
   local read_value, read_array, read_object

   function read_value(text, pos, depth)
      local c = byte(text, pos)
      if c == 34 then
         local last, value, _
         if keeps_controls then
            -- memchr() and a copy cost less than a character class, but cannot see control characters.
            last = find(text, '"', pos + 1, true)
            value = last and sub(text, pos + 1, last - 1)
            value = value and not find(value, "\\", 1, true) and value
         else
            _, last, value = find(text, '^([^%c"\\]*)"', pos + 1)
         end
         if value then
            return value, last + 1
         end
         return read_odd_string(text, pos, "value", options)
      elseif c == 123 then
         return read_object(text, pos, depth + 1)
      elseif c == 91 then
         return read_array(text, pos, depth + 1)
      elseif BLANK[c] then
         return read_value(text, skip_blanks(text, pos), depth)
      end
      local _, last, digits = find(text, "^(-?[1-9]%d*)[,}%]]", pos)
      if digits then
         return as_floats and tonumber(digits) + 0.0 or tonumber(digits), last
      end
      return read_scalar(text, pos, c)
   end

   -- A new table, and the position of what comes after its bracket.
   local function open(text, pos, depth, meta)
      if depth > max_depth then
         fail("depth", pos, depth)
      end
      pos = pos + 1
      if BLANK[byte(text, pos)] then
         pos = skip_blanks(text, pos)
      end
      return meta and setmetatable({}, meta) or {}, pos
   end

   function read_array(text, pos, depth)
      local count, array = 0
      array, pos = open(text, pos, depth, array_meta)
      if byte(text, pos) == 93 then
         return array, pos + 1
      end
      while true do
         count = count + 1
         array[count], pos = read_value(text, pos, depth)
         local c = byte(text, pos)
         if c ~= 44 then
            pos = skip_blanks(text, pos)
            c = byte(text, pos)
            if c == 93 then
               return array, pos + 1
            elseif c ~= 44 then
               fail("array_end", pos)
            end
         end
         pos = pos + 1
      end
   end

   -- A key that is no plain string, or a mistake. Returns the key and the position of the colon.
   local function read_odd_key(text, pos)
      pos = skip_blanks(text, pos)
      if byte(text, pos) ~= 34 then
         fail("key", pos)
      end
      local key
      key, pos = read_odd_string(text, pos, "key", options)
      pos = skip_blanks(text, pos)
      if byte(text, pos) ~= 58 then
         fail("colon", pos)
      end
      return key, pos
   end

   function read_object(text, pos, depth)
      local object
      object, pos = open(text, pos, depth, object_meta)
      if byte(text, pos) == 125 then
         return object, pos + 1
      end
      while true do
         local _, last, key = find(text, '^[ \n\r\t]*"([^%c"\\]*)":', pos)
         if not key then
            key, last = read_odd_key(text, pos)
         end
         object[key], pos = read_value(text, last + 1, depth)
         local c = byte(text, pos)
         if c ~= 44 then
            pos = skip_blanks(text, pos)
            c = byte(text, pos)
            if c == 125 then
               return object, pos + 1
            elseif c ~= 44 then
               fail("object_end", pos)
            end
         end
         pos = pos + 1
      end
   end

   return read_value
end

local reader = {}

function reader.new(options)
   local read_value = value_reader(options)

   local function read_document(text)
      local value, pos = read_value(text, skip_blanks(text, 1), 0)
      pos = skip_blanks(text, pos)
      if pos <= #text then
         fail("the_end", pos)
      end
      return value
   end

   return function(text)
      local ok, value = pcall(read_document, text)
      if not ok and type(value) ~= "table" then
         -- Memory has ended: no mistake in the text, which some modules return instead of raising it.
         error(value, 0)
      end
      return ok, value
   end
end

return reader
