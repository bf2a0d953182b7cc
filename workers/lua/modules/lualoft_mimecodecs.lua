-- lualoft.mimecodecs: the low-level filters of `mime`: each works on part of a text and returns what is left over.
--
-- b64, unb64, unqp(C [, D]) and qp(C [, D [, marker]]) -> A, B: the converted start of C..D and the rest that waits for
--    more. Without D the rest is converted too (b64 and qp pad) and B is nil. C nil: nil, nil.
-- wrp(left, C, length), qpwrp(left, C, length) -> A, left: C with line breaks; left is what fits into the current line.
--    C nil ends the text: a line break if the line is not empty. wrp turns LF into CRLF and drops CR.
-- eol(last, C [, marker]) -> A, last: every line break as `marker` (CRLF); last is 0 or the break seen last.
-- dot(state, C) -> A, state: SMTP's dot stuffing; state 2 is the start of a line.
--
-- Mirrors: MIME 1.0.3 of LuaSocket 3.1, compared call by call.

local base64 = require "lualoft.base64"

local byte, char, find, format, gmatch, gsub, match, sub =
   string.byte, string.char, string.find, string.format, string.gmatch, string.gsub, string.match, string.sub
local concat, error, tonumber, tostring, type = table.concat, error, tonumber, tostring, type

local CRLF = "\r\n"
local SOFT_BREAK = "=\r\n"

--: Line lengths when none is given, as RFC 2045 wants them.
local DEFAULT_LENGTH = 76

local codecs = {}

local function check_text(value, index, name)
   if type(value) == "number" then
      return tostring(value)
   elseif type(value) ~= "string" then
      error(format("bad argument #%d to '%s' (string expected, got %s)", index, name, type(value)), 3)
   end
   return value
end

local function check_number(value, index, name)
   local number = tonumber(value)
   if not number then
      error(format("bad argument #%d to '%s' (number expected, got %s)", index, name, type(value)), 3)
   end
   return number
end

-- Makes f(C, D, marker) of convert(text, is_final, marker) -> converted, rest.
local function two_part(name, convert)
   return function(first, second, marker)
      if first == nil then
         return nil, nil
      end
      first = check_text(first, 1, name)
      if second == nil then
         local converted = convert(first, true, marker)
         return converted ~= "" and converted or nil, nil
      end
      return convert(first .. check_text(second, 2, name), false, marker)
   end
end

codecs.b64 = two_part("b64", function(text, is_final)
   local whole = is_final and #text or #text - #text % 3
   return base64.encode(sub(text, 1, whole)), sub(text, whole + 1)
end)

-- Groups of four characters only; each run of padding ends a text of its own.
codecs.unb64 = two_part("unb64", function(text)
   local letters = gsub(text, "[^%w+/=]", "")
   local whole = #letters - #letters % 4
   local converted, count = {}, 0
   for run in gmatch(sub(letters, 1, whole), "[^=]+") do
      count = count + 1
      converted[count] = base64.decode(run)
   end
   return concat(converted), sub(letters, whole + 1)
end)

------------------------------------------------------------------------------------------------------------
-- Quoted-printable

local function quoted(character)
   return format("=%02X", byte(character))
end

-- The end that cannot be converted yet: a blank needs the next two characters (a CRLF?), a CR the next one.
local function waiting_end(text)
   return match(text, "[ \t].$") or match(text, "[ \t\r]$") or ""
end

codecs.qp = two_part("qp", function(text, is_final, marker)
   local rest = waiting_end(text)
   text = gsub(sub(text, 1, #text - #rest), "[^\t\r\n -<>-~]", quoted)
   text = gsub(text, "([ \t])\r\n", function(blank)
      return quoted(blank) .. CRLF
   end)
   text = gsub(text, CRLF, "\0") -- no NUL is left in the text, and a lone CR or LF must be quoted
   text = gsub(text, "[\r\n]", quoted)
   text = gsub(text, "%z", (gsub(marker or CRLF, "%%", "%%%%")))
   if not is_final then
      return text, rest
   elseif rest == "" then
      return text
   end
   return text .. gsub(rest, "[^!-<>-~]", quoted) .. SOFT_BREAK
end)

-- One step of unqp at a special character: what it stands for, and the position after it (nil: more is needed).
local function unquoted(text, pos)
   local character = sub(text, pos, pos)
   if character == "=" then
      local code = sub(text, pos + 1, pos + 2)
      if #code < 2 then
         return "", nil
      elseif code == CRLF then
         return "", pos + 3
      end
      return match(code, "^%x%x$") and char(tonumber(code, 16)) or "=" .. code, pos + 3
   elseif character == "\r" then
      local following = sub(text, pos + 1, pos + 1)
      if following == "" then
         return "", nil
      end
      return following == "\n" and CRLF or "", following == "\n" and pos + 2 or pos + 1
   end
   return "", pos + 1
end

codecs.unqp = two_part("unqp", function(text)
   local parts, count, pos = {}, 0, 1
   while true do
      local special = find(text, "[^\t -<>-~]", pos)
      parts[count + 1] = sub(text, pos, (special or 0) - 1)
      if not special then
         return concat(parts), ""
      end
      local part, next_pos = unquoted(text, special)
      count = count + 2
      parts[count] = part
      if not next_pos then
         return concat(parts), sub(text, special)
      end
      pos = next_pos
   end
end)

------------------------------------------------------------------------------------------------------------
-- Line lengths and line breaks

-- The end of a wrapped text: a line that is not empty is ended with `line_break`.
local function last_line(left, length, line_break)
   if left < length then
      return line_break, length
   end
   return nil, length
end

function codecs.wrp(left, text, length)
   left = check_number(left, 1, "wrp")
   length = check_number(length or DEFAULT_LENGTH, 3, "wrp")
   if text == nil then
      return last_line(left, length, CRLF)
   end
   text = gsub(check_text(text, 2, "wrp"), "\r", "")
   local parts = {}
   for line, line_break in gmatch(text, "([^\n]*)(\n?)") do
      local run = line
      while #run > left do
         parts[#parts + 1] = sub(run, 1, left) .. CRLF
         run, left = sub(run, left + 1), length
      end
      left = left - #run
      parts[#parts + 1] = run
      if line_break ~= "" then
         parts[#parts + 1], left = CRLF, length
      end
   end
   return concat(parts), left
end

-- A quoted character stays whole; one place of each line is kept for the soft break.
function codecs.qpwrp(left, text, length)
   left = check_number(left, 1, "qpwrp")
   length = check_number(length or DEFAULT_LENGTH, 3, "qpwrp")
   if text == nil then
      return last_line(left, length, SOFT_BREAK)
   end
   local parts = {}
   for character in gmatch(check_text(text, 2, "qpwrp"), "[^\r]") do
      if character == "\n" then
         parts[#parts + 1], left = CRLF, length
      else
         if left <= (character == "=" and 3 or 1) then
            parts[#parts + 1], left = SOFT_BREAK, length
         end
         parts[#parts + 1], left = character, left - 1
      end
   end
   return concat(parts), left
end

local LINE_BREAKS = { [10] = true, [13] = true }

-- Two different break characters in a row are one break, as are two equal ones; the second one closes it.
function codecs.eol(last, text, marker)
   last = check_number(last, 1, "eol")
   if text == nil then
      return nil, 0
   end
   marker = tostring(marker or CRLF)
   text = check_text(text, 2, "eol")
   local parts, pos = {}, 1
   while pos <= #text do
      local code = byte(text, pos)
      if not LINE_BREAKS[code] then
         local stop = find(text, "[\r\n]", pos) or #text + 1
         parts[#parts + 1], last, pos = sub(text, pos, stop - 1), 0, stop
      elseif LINE_BREAKS[last] then
         parts[#parts + 1] = code == last and marker or ""
         last, pos = 0, pos + 1
      else
         parts[#parts + 1], last, pos = marker, code, pos + 1
      end
   end
   return concat(parts), last
end

-- state: 0 inside a line, 1 after CR, 2 after CRLF.
function codecs.dot(state, text)
   state = check_number(state, 1, "dot")
   if text == nil then
      return nil, 2
   end
   text = check_text(text, 2, "dot")
   local stuffed = gsub((state == 2 and CRLF or state == 1 and "\r" or "") .. text, "\r\n%.", "\r\n..")
   stuffed = sub(stuffed, state + 1)
   if find(text, "\r$") then
      return stuffed, 1
   elseif find(text, "\r\n$") or state == 1 and text == "\n" or text == "" and state == 2 then
      return stuffed, 2
   end
   return stuffed, text == "" and state or 0
end

return codecs
