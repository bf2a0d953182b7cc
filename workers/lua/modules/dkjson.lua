-- dkjson: JSON with key order, indentation, custom encoders, and decode() that returns its errors.
--
-- encode(value [, state]) -> text; or true when the state brought a buffer. See lualoft_dkjsonwriter.lua.
-- decode(text [, pos [, null [, object_meta [, array_meta]]]]) -> value, position after it; or nil, position, message.
--    See lualoft_dkjsonreader.lua.
-- null · version · quotestring(text) · addnewline(state) · encodeexception(reason, value, state, message)
-- use_lpeg() -> this module: there is nothing that LPeg would make faster here.
--
-- Mirrors: dkjson 2.6 (Debian's lua-dkjson), compared call by call.

local reader, writer = require "lualoft.dkjsonreader", require "lualoft.dkjsonwriter"

local dkjson = {
   version = "dkjson 2.6",
   null = writer.null,
   encode = writer.encode,
   decode = reader.decode,
   quotestring = writer.quotestring,
   addnewline = writer.addnewline,
   encodeexception = writer.encodeexception,
}

function dkjson.use_lpeg()
   return dkjson
end

return dkjson
