-- mime: content encodings as filters for ltn12, and the low-level functions that they are made of.
--
-- encode(name [, mode]), decode(name): "base64" or "quoted-printable" ("binary" mode quotes line breaks too)
-- wrap([name [, length]]): "text" (default), "base64" or "quoted-printable"; lines of 76 characters unless told
-- normalize([marker]): every line break as CRLF or `marker` · stuff(): SMTP's dot stuffing
-- Each returns a filter. An unknown name raises "unknown key (NAME)". encodet, decodet, wrapt are the tables of names.
-- b64 unb64 qp unqp wrp qpwrp eol dot: see lualoft_mimecodecs.lua.
--
-- Mirrors: MIME 1.0.3 of LuaSocket 3.1.

local codecs, ltn12 = require "lualoft.mimecodecs", require "ltn12"

local cycle, error, pairs, tostring, type = ltn12.filter.cycle, error, pairs, tostring, type

local encodet, decodet, wrapt = {}, {}, {}
local mime = { _VERSION = "MIME 1.0.3", encodet = encodet, decodet = decodet, wrapt = wrapt }

for name, codec in pairs(codecs) do
   mime[name] = codec
end

-- A first argument that is no string is the filter's own first argument: wrap(60) is wrap("default", 60).
local function chooser(filters)
   return function(name, first, second)
      if type(name) ~= "string" then
         name, first, second = "default", name, first
      end
      local make = filters[name]
      if not make then
         error("unknown key (" .. tostring(name) .. ")", 2)
      end
      return make(first, second)
   end
end

encodet["base64"] = function()
   return cycle(codecs.b64, "")
end

encodet["quoted-printable"] = function(mode)
   return cycle(codecs.qp, "", mode == "binary" and "=0D=0A" or "\r\n")
end

decodet["base64"] = function()
   return cycle(codecs.unb64, "")
end

decodet["quoted-printable"] = function()
   return cycle(codecs.unqp, "")
end

function wrapt.text(length)
   return cycle(codecs.wrp, length or 76, length or 76)
end

wrapt["base64"], wrapt["default"] = wrapt.text, wrapt.text

wrapt["quoted-printable"] = function()
   return cycle(codecs.qpwrp, 76, 76)
end

mime.encode, mime.decode, mime.wrap = chooser(encodet), chooser(decodet), chooser(wrapt)

function mime.normalize(marker)
   return cycle(codecs.eol, 0, marker)
end

function mime.stuff()
   return cycle(codecs.dot, 2)
end

return mime
