-- lualoft.base64: base64 of whole strings; base64, mime and socket.http use it.
--
-- alphabet(s62, s63, pad) -> list of 64 characters from index 0, and the padding at 64; defaults "+", "/", "=".
-- encode(bytes [, alphabet]) -> text, padded
-- values(alphabet) -> map: character code -> 0 to 63
-- decode(text [, values]) -> bytes. Characters outside the alphabet are skipped, padding included; a last group of one
--    character is dropped.

local byte, char, concat, floor, sub = string.byte, string.char, table.concat, math.floor, string.sub

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

local base64 = {}

function base64.alphabet(s62, s63, pad)
   local alphabet = {}
   for index = 0, 61 do
      alphabet[index] = sub(LETTERS, index + 1, index + 1)
   end
   alphabet[62], alphabet[63], alphabet[64] = s62 or "+", s63 or "/", pad or "="
   return alphabet
end

function base64.values(alphabet)
   local values = {}
   for index = 0, 63 do
      values[byte(alphabet[index])] = index
   end
   return values
end

local DEFAULT_ALPHABET = base64.alphabet()
local DEFAULT_VALUES = base64.values(DEFAULT_ALPHABET)

function base64.encode(bytes, alphabet)
   alphabet = alphabet or DEFAULT_ALPHABET
   local parts, count = {}, 0
   for pos = 1, #bytes, 3 do
      local a, b, c = byte(bytes, pos, pos + 2)
      local second, third = b or 0, c or 0
      count = count + 1
      parts[count] = alphabet[floor(a / 4)]
         .. alphabet[a % 4 * 16 + floor(second / 16)]
         .. (b and alphabet[second % 16 * 4 + floor(third / 64)] or alphabet[64])
         .. (c and alphabet[third % 64] or alphabet[64])
   end
   return concat(parts)
end

function base64.decode(text, values)
   values = values or DEFAULT_VALUES
   local parts, count, bits, held = {}, 0, 0, 0
   for pos = 1, #text do
      local value = values[byte(text, pos)]
      if value then
         held, bits = held * 64 + value, bits + 6
         if bits == 24 then
            count = count + 1
            parts[count] = char(floor(held / 65536), floor(held / 256) % 256, held % 256)
            bits, held = 0, 0
         end
      end
   end
   if bits == 18 then
      parts[count + 1] = char(floor(held / 1024), floor(held / 4) % 256)
   elseif bits == 12 then
      parts[count + 1] = char(floor(held / 16))
   end
   return concat(parts)
end

return base64
