-- Text functions of `dovecot`: tabescape, tabunescape, split_tabescaped, net_ip_family, var_expand, base64.
--
-- Arguments: exactly one string each. Only base64 and the result of var_expand are binary-safe, everything else ends
-- at its first NUL. Mirrors strescape.c, net_addr2ip, lib-var-expand and base64.c of 2.4.

local host = ...
local check_bytes, check_string, native, wrong_count =
   host.check_bytes, host.check_string, host.native, host.wrong_count
local error, find, gsub, select, sub = error, string.find, string.gsub, select, string.sub

local ESCAPED = { ["\1"] = "\0011", ["\t"] = "\1t", ["\r"] = "\1r", ["\n"] = "\1n" }
-- Any other character stands for itself; nothing behind the escape byte, at the end, is nothing.
local UNESCAPED = setmetatable({ ["0"] = "\0", ["1"] = "\1", t = "\t", r = "\r", n = "\n" }, {
   __index = function(_, character)
      return character
   end,
})

-- A string that Dovecot hands to Lua as a C string.
local function c_string(text)
   local nul = find(text, "\0", 1, true)
   return nul and sub(text, 1, nul - 1) or text
end

local function tabunescape(text)
   return c_string((gsub(text, "\1(.?)", UNESCAPED)))
end

local function split_tabescaped(text)
   local parts = {}
   if text == "" then
      return parts
   end
   local start = 1
   while true do
      local tab = find(text, "\t", start, true)
      parts[#parts + 1] = tabunescape(sub(text, start, tab and tab - 1))
      if not tab then
         return parts
      end
      start = tab + 1
   end
end

local function var_expand(text)
   local is_expanded, result = native.var_expand(text)
   if is_expanded then
      return result
   end
   error("failed to expand '" .. text .. "': " .. result, 0)
end

local function define(name, check, operation)
   host.made[name] = function(...)
      local count = select("#", ...)
      if count ~= 1 then
         wrong_count(1, count)
      end
      return (operation(check((...), 1)))
   end
end

define("tabescape", check_string, function(text)
   return (gsub(text, "[\1\t\r\n]", ESCAPED))
end)
define("tabunescape", check_string, tabunescape)
define("split_tabescaped", check_string, split_tabescaped)
define("net_ip_family", check_string, native.net_ip_family)
define("var_expand", check_string, var_expand)
define("base64_encode", check_bytes, native.base64_encode)
define("base64_decode", check_bytes, native.base64_decode)
