-- socket.http: HTTP and HTTPS requests; other calls go on while one waits.
--
-- request(url [, body]) -> body, status, headers, status line; or nil, message. With a body it is a POST of type
--    application/x-www-form-urlencoded.
-- request{ url =, method =, headers =, source =, sink =, step =, redirect =, proxy =, user =, password =, timeout = }
--    -> 1, status, headers, status line; or nil, message. The answer's body goes to the sink only.
-- headers: a table with lower-case names. Messages: "connection refused", "timeout", "closed", ...
-- TIMEOUT (seconds, also as a field of the request), USERAGENT, PROXY, PORT may be set.
-- Up to four redirects are followed, for GET and HEAD only, never from https to http.
--
-- Mirrors: LuaSocket 3.1; deviations: see lualoft_http.lua. `create` and `open` need sockets and are not available.

local core = require "lualoft.http"

local error, setmetatable, type = error, setmetatable, type

local http = { TIMEOUT = 60, USERAGENT = "LuaSocket 3.1.0", PORT = 80 }

-- Reads the module's settings when a request is made: scripts set http.TIMEOUT.
local defaults = setmetatable({ scheme = "http" }, {
   __index = function(_, name)
      if name == "timeout" then
         return http.TIMEOUT or 60
      elseif name == "user_agent" then
         return http.USERAGENT
      elseif name == "proxy" then
         return http.PROXY
      elseif name == "port" then
         return http.PORT
      end
      return nil
   end,
})

local function request(given)
   return core.request(given, defaults)
end

function http.request(target, body)
   if type(target) == "string" then
      return core.form(target, body, request)
   elseif type(target) ~= "table" then
      error("bad argument #1 to 'request' (string or table expected, got " .. type(target) .. ")", 2)
   elseif target.create then
      error("http.request: `create` is not available in lualoft: set `timeout` for a time limit", 2)
   end
   return request(target)
end

function http.open()
   error("http.open is not available in lualoft: use http.request", 2)
end

return http
