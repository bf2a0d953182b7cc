-- ssl.https: HTTPS requests; other calls go on while one waits.
--
-- request(url [, body]) -> body, status, headers, status line; or nil, message
-- request{ url =, method =, headers =, source =, sink =, step =, timeout =, verify =, cafile = }
--    -> 1, status, headers, status line; or nil, message
-- The URL's scheme does not matter: it is always TLS, on port 443 unless the URL names one. The server's certificate is
-- checked against the system's authorities, or `cafile`, unless the request says verify = "none".
-- `proxy`, `redirect` and `create` give nil and a message, as in LuaSec. PORT, TIMEOUT may be set.
--
-- Mirrors: LuaSec 1.2. Deviation: it checks no certificate unless told to; the other TLS parameters are ignored here.

local core = require "lualoft.http"

local error, setmetatable, type = error, setmetatable, type

local https = { PORT = 443, TIMEOUT = 60, _VERSION = "1.2.0" }

local REFUSED = {
   { "proxy", "proxy not supported" },
   { "redirect", "redirect not supported" },
   { "create", "create function not permitted" },
}

-- Reads the module's settings when a request is made: scripts set https.TIMEOUT.
local defaults = setmetatable({ scheme = "https", forces_scheme = true, user_agent = "LuaSocket 3.1.0" }, {
   __index = function(_, name)
      if name == "timeout" then
         return https.TIMEOUT or 60
      end
      return name == "port" and https.PORT or nil
   end,
})

local function request(given)
   for _, field in ipairs(REFUSED) do
      if given[field[1]] then
         return nil, field[2]
      end
   end
   return core.request(given, defaults)
end

function https.request(target, body)
   if type(target) == "string" then
      return core.form(target, body, request)
   elseif type(target) ~= "table" then
      error("bad argument #1 to 'request' (string or table expected, got " .. type(target) .. ")", 2)
   end
   return request(target)
end

return https
