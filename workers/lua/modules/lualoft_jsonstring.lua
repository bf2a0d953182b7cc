-- lualoft.jsonstring: JSON strings that hold more than plain characters; lualoft.jsonreader reads the others itself.
--
-- utf8_char(code) -> bytes; a lone surrogate comes out as three bytes
-- read(text, start, place, options) -> string, position after it. `start` is the opening quote, `place` is "key" or
--    "value", options are the reader's keeps_controls and keeps_surrogates.
-- fail(code, pos, detail, start): raises the failure table that lualoft.jsonreader describes.

local byte, char, concat, error, find, floor, sub, tonumber =
   string.byte, string.char, table.concat, error, string.find, math.floor, string.sub, tonumber

local ESCAPES = {
   ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}
local jsonstring = {}

local function fail(code, pos, detail, start)
   error({ code = code, pos = pos, detail = detail, start = start }, 0)
end

-- UTF-8 of a code point up to U+10FFFF; a lone surrogate comes out as three bytes.
local function utf8_char(code)
   if code < 0x80 then
      return char(code)
   elseif code < 0x800 then
      return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
   elseif code < 0x10000 then
      return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
   end
   return char(
      0xF0 + floor(code / 0x40000),
      0x80 + floor(code / 0x1000) % 0x40,
      0x80 + floor(code / 0x40) % 0x40,
      0x80 + code % 0x40
   )
end

-- Decodes \uXXXX at `pos` (the backslash). Returns the bytes and the position after it; or nil and what is wrong.
local function read_unicode(text, pos, keeps_surrogates)
   local _, last, digits = find(text, "^\\u(%x%x%x%x)", pos)
   if not last then
      return nil, "unicode"
   end
   local code = tonumber(digits, 16)
   if code < 0xD800 or code > 0xDFFF then
      return utf8_char(code), last + 1
   end
   local _, low_last, low_digits = find(text, "^\\u([dD][c-fC-F]%x%x)", last + 1)
   if code <= 0xDBFF and low_last then
      return utf8_char(0x10000 + (code - 0xD800) * 0x400 + tonumber(low_digits, 16) - 0xDC00), low_last + 1
   end
   if not keeps_surrogates then
      return nil, "surrogate"
   end
   return utf8_char(code), last + 1
end

local function read_escape(text, pos, keeps_surrogates)
   local letter = sub(text, pos + 1, pos + 1)
   if letter == "u" then
      return read_unicode(text, pos, keeps_surrogates)
   end
   return ESCAPES[letter], ESCAPES[letter] and pos + 2 or "escape"
end

-- A string with escapes or control characters; `start` is its quote. Returns it and the position after it.
function jsonstring.read(text, start, place, options)
   local parts, count, pos = {}, 0, start + 1
   while true do
      local stop = find(text, '[%z\1-\31"\\]', pos)
      if not stop or byte(text, stop) == 92 and stop == #text then
         fail("string_end", #text + 1, place, start)
      end
      local c = byte(text, stop)
      parts[count + 1] = sub(text, pos, stop - 1)
      if c == 34 then
         return concat(parts), stop + 1
      end
      local part, next_pos = char(c), stop + 1
      if c == 92 then
         part, next_pos = read_escape(text, stop, options.keeps_surrogates)
      elseif not options.keeps_controls then
         part, next_pos = nil, "control"
      end
      if not part then
         fail(next_pos, stop, place, start)
      end
      count = count + 2
      parts[count], pos = part, next_pos
   end
end

jsonstring.fail, jsonstring.utf8_char = fail, utf8_char

return jsonstring
