-- lualoft.jsonwriter: what the JSON encoders have in common; json, cjson and rapidjson word their own errors.
--
-- quoter(extra) -> quote(text) -> the JSON string. Escaped: controls, `"` and `\`; `extra` (character -> text) adds
--    further characters or changes one ({ ["/"] = "\\/" }). All other bytes stay, invalid UTF-8 too.
-- shortest(number) -> the float's shortest decimal text that reads back as the same number.
-- new(options) -> write(value) -> true, text; or false, message. Options:
--    quote          from quoter()
--    number(value)  -> text
--    shape(table, depth)  -> length of the array to write, or nil for an object; may call refuse(message)
--    key(value)     -> text of a key that is no string, or calls refuse(message)
--    specials       map: value -> its text (null, an empty array's mark)
--    unsupported(value)   calls refuse(message): a function, thread, userdata
-- refuse(message): ends the write() under way with `message`.
-- caught(work, ...) -> true, its result; or false, the message that it was refused with.

local error, find, format, getmetatable, gsub, next, pcall, setmetatable, tonumber, type =
   error, string.find, string.format, getmetatable, string.gsub, next, pcall, setmetatable, tonumber, type
local concat = table.concat

--: Key texts kept for the next document; keys repeat, but a script that uses user names as keys must not fill memory.
local MAX_CACHED_KEYS = 256

local SHORT_ESCAPES = {
   ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\",
}

local writer = {}

-- Marks an error as ours, so that a real one (memory, stack) is not taken for a message.
local Refusal = {}

function writer.refuse(message)
   error(setmetatable({ message = message }, Refusal), 0)
end

function writer.caught(work, ...)
   local ok, result = pcall(work, ...)
   if ok or getmetatable(result) ~= Refusal then
      if not ok and type(result) == "string" and find(result, "not enough memory", 1, true) then
         error(result, 0)
      end
      return ok, result
   end
   return false, result.message
end

function writer.quoter(extra)
   local escapes = setmetatable({}, {
      __index = function(escapes, character)
         local text = format("\\u%04x", character:byte())
         escapes[character] = text
         return text
      end,
   })
   local class = '[%c"\\'
   for character, escape in next, SHORT_ESCAPES do
      escapes[character] = escape
   end
   for character, escape in next, extra or {} do
      escapes[character] = escape
      class = class .. "%" .. character
   end
   class = class .. "]"
   return function(text)
      if find(text, class) then
         text = gsub(text, class, escapes)
      end
      return '"' .. text .. '"'
   end
end

function writer.shortest(number)
   local text = format("%.15g", number)
   if tonumber(text) == number then
      return text
   end
   text = format("%.16g", number)
   if tonumber(text) == number then
      return text
   end
   return format("%.17g", number)
end

-- The writers of values, arrays and objects. They append to one list of parts: the hot path makes no other table.
local function value_writer(options)
   local quote, number, shape, key_text = options.quote, options.number, options.shape, options.key
   local specials, unsupported = options.specials, options.unsupported
   local write

   local function write_array(parts, count, array, length, depth)
      local lead = "["
      for index = 1, length do
         parts[count + 1] = lead
         count = write(parts, count + 1, array[index], depth)
         lead = ","
      end
      parts[count + 1] = length == 0 and "[]" or "]"
      return count + 1
   end

   local key_texts, key_count = {}, 0
   local function cached_key(key)
      local text = (type(key) == "string" and quote(key) or '"' .. key_text(key) .. '"') .. ":"
      key_count = key_count + 1
      if key_count > MAX_CACHED_KEYS then
         key_texts, key_count = {}, 1
      end
      key_texts[key] = text
      return text
   end

   local function write_object(parts, count, object, depth)
      local lead = "{"
      for key, value in next, object do
         parts[count + 1] = lead
         parts[count + 2] = key_texts[key] or cached_key(key)
         count = write(parts, count + 2, value, depth)
         lead = ","
      end
      parts[count + 1] = lead == "{" and "{}" or "}"
      return count + 1
   end

   function write(parts, count, value, depth)
      local kind = type(value)
      if kind == "table" and not specials[value] then
         local length = shape(value, depth + 1)
         if length then
            return write_array(parts, count, value, length, depth + 1)
         end
         return write_object(parts, count, value, depth + 1)
      end
      count = count + 1
      if kind == "string" then
         parts[count] = quote(value)
      elseif kind == "number" then
         parts[count] = number(value)
      elseif kind == "boolean" then
         parts[count] = value and "true" or "false"
      elseif value == nil then
         parts[count] = "null"
      else
         parts[count] = specials[value] or unsupported(value)
      end
      return count
   end

   return write
end

function writer.new(options)
   local write = value_writer(options)

   local function document(value)
      local parts = {}
      return concat(parts, "", 1, write(parts, 0, value, 0))
   end

   return function(value)
      return writer.caught(document, value)
   end
end

return writer
