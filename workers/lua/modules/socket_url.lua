-- socket.url: URLs taken apart, put together, resolved and escaped.
--
-- parse(url [, default]) -> table with those of scheme, authority, userinfo, user, password, host, port, path, params,
--    query, fragment that the URL has (strings), on top of a copy of `default`; or nil, "invalid url"
-- build(table) -> url; `host` with user, password and port wins over `authority`
-- absolute(base, relative) -> url; base is a URL or a parsed table
-- escape(text) -> text: everything but letters, digits and "_" as %xx · unescape(text) -> text
-- parse_path(path) -> list of unescaped segments with is_absolute, is_directory (1 or nil)
-- build_path(list [, is_unsafe]) -> path; segments are escaped unless is_unsafe
--
-- Mirrors: URL 1.0.3 of LuaSocket 3.1. Deviations where it strays from RFC 3986: an authority ends at `?`, dots in a
-- query are left alone, a complete URL is never touched, a base table without `authority` gives its host.

local byte, char, concat, error, find, format, gmatch, gsub, ipairs, match, pairs, sub, tonumber, tostring, type =
   string.byte, string.char, table.concat, error, string.find, string.format, string.gmatch, string.gsub, ipairs,
   string.match, pairs, string.sub, tonumber, tostring, type

local url = { _VERSION = "URL 1.0.3" }

local function check_text(value, name)
   if type(value) == "number" then
      return tostring(value)
   elseif type(value) ~= "string" then
      error(format("bad argument #1 to '%s' (string expected, got %s)", name, type(value)), 3)
   end
   return value
end

------------------------------------------------------------------------------------------------------------
-- Escapes

function url.escape(text)
   return (gsub(check_text(text, "escape"), "[^%w_]", function(character)
      return format("%%%02x", byte(character))
   end))
end

local function unescape(text)
   return (gsub(text, "%%(%x%x)", function(code)
      return char(tonumber(code, 16))
   end))
end

function url.unescape(text)
   return unescape(check_text(text, "unescape"))
end

------------------------------------------------------------------------------------------------------------
-- Taking apart

-- Cuts the part that `pattern` captures out of the text and keeps it under `name`.
local function cut(parsed, name, text, pattern)
   local first, last, part = find(text, pattern)
   if not first then
      return text
   end
   parsed[name] = part
   return sub(text, 1, first - 1) .. sub(text, last + 1)
end

local function parse_authority(parsed)
   local rest = cut(parsed, "userinfo", parsed.authority, "^([^@]*)@")
   rest = cut(parsed, "port", rest, ":([^:%]]*)$")
   if rest ~= "" then
      parsed.host = match(rest, "^%[(.+)%]$") or rest
   end
   if parsed.userinfo then
      parsed.user = cut(parsed, "password", parsed.userinfo, ":([^:]*)$")
   end
end

function url.parse(text, default)
   local parsed = {}
   for name, value in pairs(default or {}) do
      parsed[name] = value
   end
   if not text or text == "" then
      return nil, "invalid url"
   end
   local own = {}
   local rest = cut(own, "fragment", check_text(text, "parse"), "#(.*)$")
   rest = cut(own, "scheme", rest, "^(%w[%w+.-]*):")
   rest = cut(own, "authority", rest, "^//([^/?]*)")
   rest = cut(own, "query", rest, "%?(.*)")
   rest = cut(own, "params", rest, ";(.*)")
   if rest ~= "" then
      own.path = rest
   end
   if own.authority then
      parse_authority(own)
   end
   for name, value in pairs(own) do
      parsed[name] = value
   end
   return parsed
end

------------------------------------------------------------------------------------------------------------
-- Putting together

local function authority_of(parsed)
   if not parsed.host then
      return parsed.authority
   end
   local host = find(parsed.host, ":", 1, true) and "[" .. parsed.host .. "]" or parsed.host
   local userinfo = parsed.userinfo
   if parsed.user then
      userinfo = parsed.user .. (parsed.password and ":" .. parsed.password or "")
   end
   return (userinfo and userinfo .. "@" or "") .. host .. (parsed.port and ":" .. parsed.port or "")
end

function url.build(parsed)
   local authority = authority_of(parsed)
   return (parsed.scheme and parsed.scheme .. ":" or "")
      .. (authority and "//" .. authority or "")
      .. (parsed.path or "")
      .. (parsed.params and ";" .. parsed.params or "")
      .. (parsed.query and "?" .. parsed.query or "")
      .. (parsed.fragment and "#" .. parsed.fragment or "")
end

------------------------------------------------------------------------------------------------------------
-- Resolving

-- `.` and `..` taken out; `..` beyond the root of an absolute path is dropped, of a relative one kept.
local function without_dots(path)
   local is_absolute = sub(path, 1, 1) == "/"
   local kept, last = {}, nil
   for segment in gmatch(path .. "/", "([^/]*)/") do
      last = segment
      if segment == ".." and #kept > 0 and kept[#kept] ~= ".." and kept[#kept] ~= "" then
         kept[#kept] = nil
      elseif segment ~= "." and not (segment == ".." and is_absolute) then
         kept[#kept + 1] = segment
      end
   end
   local result = concat(kept, "/")
   if (last == "." or last == "..") and sub(result, -1) ~= "/" and result ~= "" or result == "" and is_absolute then
      result = result .. "/"
   end
   return result
end

local function merged_path(base, relative_path)
   if sub(relative_path, 1, 1) == "/" then
      return without_dots(relative_path)
   end
   local folder = match(base.path or "", "^.*/") or (authority_of(base) and "/" or "")
   return without_dots(folder .. relative_path)
end

function url.absolute(base, relative)
   local parsed_base = base
   if type(base) ~= "table" then
      parsed_base = url.parse(base)
   end
   local result = url.parse(relative)
   if not parsed_base then
      return relative
   elseif not result then
      result = url.parse(url.build(parsed_base))
      result.path = result.path and without_dots(result.path)
      return url.build(result)
   elseif result.scheme then
      return relative
   end
   result.scheme = parsed_base.scheme
   if result.authority then
      return url.build(result)
   end
   result.authority = authority_of(parsed_base)
   if result.path then
      result.path = merged_path(parsed_base, result.path)
      return url.build(result)
   end
   result.path = parsed_base.path and without_dots(parsed_base.path)
   if not result.params then
      result.params = parsed_base.params
      result.query = result.query or parsed_base.query
   end
   return url.build(result)
end

------------------------------------------------------------------------------------------------------------
-- Paths

function url.parse_path(path)
   local segments = {}
   path = path or ""
   for segment in gmatch(path, "[^/]+") do
      segments[#segments + 1] = unescape(segment)
   end
   segments.is_absolute = sub(path, 1, 1) == "/" and 1 or nil
   segments.is_directory = sub(path, -1) == "/" and 1 or nil
   return segments
end

local function protected(segment)
   return (gsub(segment, "[^%w%-_.!~*'():@&=+$,]", function(character)
      return format("%%%02X", byte(character))
   end))
end

function url.build_path(segments, is_unsafe)
   local texts = {}
   for index, segment in ipairs(segments) do
      texts[index] = is_unsafe and segment or protected(segment)
   end
   local path = concat(texts, "/")
   if segments.is_directory and path ~= "" then
      path = path .. "/"
   end
   return segments.is_absolute and "/" .. path or path
end

return url
