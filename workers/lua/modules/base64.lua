-- base64: encode and decode base64.
--
-- encode(bytes [, encoder [, caching]]) -> text, padded · decode(text [, decoder [, caching]]) -> bytes; characters
--    outside the alphabet are skipped. `caching` is taken and changes nothing.
-- makeencoder(s62, s63, pad) -> encoder · makedecoder(s62, s63, pad) -> decoder: for other alphabets (base64url:
--    makeencoder("-", "_")). An encoder maps 0 to 64 to character codes, a decoder maps them back.
-- to_base64(bytes) -> text · from_base64(text) -> bytes
--
-- Mirrors: iskolbin's lbase64, toastdriven's lua-base64, and encode/decode of lhf's lbase64.

local core = require "lualoft.base64"

local byte, char, error, format, pairs, tostring, type =
   string.byte, string.char, error, string.format, pairs, tostring, type

local function check_text(value, name)
   if type(value) == "number" then
      return tostring(value)
   elseif type(value) ~= "string" then
      error(format("bad argument #1 to '%s' (string expected, got %s)", name, type(value)), 3)
   end
   return value
end

local base64 = {}

function base64.makeencoder(s62, s63, pad)
   local encoder = {}
   for index, character in pairs(core.alphabet(s62, s63, pad)) do
      encoder[index] = byte(character)
   end
   return encoder
end

function base64.makedecoder(s62, s63, pad)
   local decoder = {}
   for index, code in pairs(base64.makeencoder(s62, s63, pad)) do
      decoder[code] = index
   end
   return decoder
end

local function characters(encoder)
   local alphabet = {}
   for index, code in pairs(encoder) do
      alphabet[index] = char(code)
   end
   return alphabet
end

-- A decoder also maps the padding (to 64), which is no value.
local function values_of(decoder)
   local values = {}
   for code, value in pairs(decoder) do
      values[code] = value < 64 and value or nil
   end
   return values
end

function base64.encode(bytes, encoder)
   return core.encode(check_text(bytes, "encode"), encoder and characters(encoder))
end

function base64.decode(text, decoder)
   return core.decode(check_text(text, "decode"), decoder and values_of(decoder))
end

function base64.to_base64(bytes)
   return core.encode(check_text(bytes, "to_base64"))
end

function base64.from_base64(text)
   return core.decode(check_text(text, "from_base64"))
end

return base64
