-- lualoft.http: HTTP requests as LuaSocket makes them, over the engine's connections; for socket.http and ssl.https.
--
-- request(given, defaults) -> 1, status, headers, status line; or nil, message. `given` is the table of socket.http:
--    url, or scheme, host, port, path, params, query, user, password · method · headers · source, sink, step
--    redirect, maxredirects · timeout (seconds) · proxy (URL) · verify ("none": any certificate), cafile
--    defaults: scheme, timeout, user_agent, proxy, port (for that scheme), forces_scheme (the URL's own is ignored)
-- form(url, body, request) -> body text, status, headers, status line; or nil, message: the simple form.
--
-- Waits with host.await("http_exchange", { method, url, headers = list of { name, value }, body, timeout_s, verify, and
-- only when set: proxy, ca_file, network }) -> status, reason, list of { name, value }, body, version; or nil, text.
--
-- Mirrors: LuaSocket 3.1. Deviations: a redirected HEAD stays a HEAD, credentials do not follow to another host, the
-- request's body is collected before it is sent.

local host = ...
local await = host.await

local base64, ltn12, url = require "lualoft.base64", require "ltn12", require "socket.url"

local concat, format, gsub, ipairs, lower, pairs, sort, tonumber, tostring =
   table.concat, string.format, string.gsub, ipairs, string.lower, pairs, table.sort, tonumber, tostring

--: Requests made for one request() at most, the first one included (LuaSocket's count).
local MAX_REQUESTS = 5

local DEFAULT_PORTS = { http = "80", https = "443" }
local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true }

--: The transport writes these from the body itself.
local TRANSPORT_HEADERS = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true, te = true }

local URL_PARTS = { "scheme", "host", "port", "path", "params", "query", "user", "password" }

--: Fields of a request that hold for the one after a redirect too.
local KEPT_FIELDS = {
   "method", "headers", "sink", "step", "timeout", "proxy", "verify", "cafile", "maxredirects",
}

local http = {}

------------------------------------------------------------------------------------------------------------
-- Deciding what to send

-- The URL's parts, with those that the request names itself on top. Returns nil and a message when it leads nowhere.
local function target_of(given, defaults)
   local target = given.url and url.parse(given.url) or {}
   for _, part in ipairs(URL_PARTS) do
      if given[part] ~= nil then
         target[part] = given[part]
      end
   end
   target.scheme = defaults.forces_scheme and defaults.scheme or lower(target.scheme or defaults.scheme)
   target.path = target.path or "/"
   if not DEFAULT_PORTS[target.scheme] then
      return nil, format("scheme '%s' is not supported", target.scheme)
   elseif not target.host or target.host == "" then
      return nil, format("invalid host '%s'", tostring(target.host))
   end
   local own_port = target.scheme == defaults.scheme and defaults.port
   local port = tostring(target.port ~= "" and target.port or own_port or "")
   target.port = port ~= "" and port ~= DEFAULT_PORTS[target.scheme] and port or nil
   return target
end

local function host_header(target)
   return url.build({ host = target.host, port = target.port }):sub(3)
end

local function url_text(target)
   return url.build({
      scheme = target.scheme,
      host = target.host,
      port = target.port,
      path = target.path:sub(1, 1) == "/" and target.path or "/" .. target.path,
      params = target.params,
      query = target.query,
   })
end

-- Header fields as a sorted list of { name, value }; the script's own win, whatever their case.
local function header_list(given, target, defaults)
   local fields = { host = { "Host", host_header(target) } }
   if defaults.user_agent then
      fields["user-agent"] = { "User-Agent", tostring(defaults.user_agent) }
   end
   if target.user and target.password then
      local credentials = url.unescape(target.user) .. ":" .. url.unescape(target.password)
      fields.authorization = { "Authorization", "Basic " .. base64.encode(credentials) }
   end
   for name, value in pairs(given.headers or {}) do
      fields[lower(name)] = { name, tostring(value) }
   end
   local names = {}
   for name in pairs(fields) do
      if not TRANSPORT_HEADERS[name] then
         names[#names + 1] = name
      end
   end
   sort(names)
   for index, name in ipairs(names) do
      names[index] = fields[name]
   end
   return names
end

-- All that the source gives. Returns nil and its message when it fails.
local function body_of(given)
   if not given.source then
      return ""
   end
   local sink, chunks = ltn12.sink.table()
   local ok, message = ltn12.pump.all(given.source, sink, given.step)
   if not ok then
      return nil, message
   end
   return concat(chunks)
end

------------------------------------------------------------------------------------------------------------
-- One exchange

local function status_line(status, reason, version)
   return format("HTTP/%s %d %s", version or "1.1", status, reason or "")
end

-- Lower-case names; several fields of one name joined with ", ".
local function header_map(list)
   local map = {}
   for _, field in ipairs(list) do
      local name = lower(field[1])
      map[name] = map[name] and map[name] .. ", " .. field[2] or field[2]
   end
   return map
end

local is_restricted = host.native.profile == "restricted"

local function exchange(given, target, body, defaults)
   if is_restricted and given.cafile ~= nil then
      return nil, "cafile names a file, which the profile restricted does not allow"
   end
   local proxy = given.proxy or defaults.proxy
   local status, reason, fields, content, version = await("http_exchange", {
      method = given.method or "GET",
      url = url_text(target),
      headers = header_list(given, target, defaults),
      body = body,
      timeout_s = tonumber(given.timeout or defaults.timeout) or defaults.timeout,
      proxy = proxy and tostring(proxy) or nil,
      verify = given.verify ~= "none",
      ca_file = given.cafile,
      network = host.native.http_network,
   })
   if not status then
      return nil, reason
   end
   return { status = status, line = status_line(status, reason, version), headers = header_map(fields), body = content }
end

------------------------------------------------------------------------------------------------------------
-- Redirects

local function is_safe_method(method)
   return not method or method == "GET" or method == "HEAD"
end

-- Fields that belong to the first host only are left out.
local function without_credentials(headers)
   local kept = {}
   for name, value in pairs(headers or {}) do
      local key = lower(name)
      if key ~= "authorization" and key ~= "cookie" and key ~= "host" then
         kept[name] = value
      end
   end
   return kept
end

-- The request that follows the answer's Location; nil when the answer is to be handed over as it is.
local function next_request(given, target, answer, request_count)
   local location = gsub(answer.headers.location or "", "%s", "")
   if location == "" or given.redirect == false or not REDIRECTS[answer.status] then
      return nil
   elseif not is_safe_method(given.method) or request_count >= (tonumber(given.maxredirects) or MAX_REQUESTS) then
      return nil
   end
   local next_url = url.absolute(url_text(target), location)
   local parsed = url.parse(next_url)
   if not DEFAULT_PORTS[parsed.scheme] or target.scheme == "https" and parsed.scheme ~= "https" then
      return nil -- an answer over TLS must not lead to one that anybody can read
   end
   local following = {}
   for _, name in ipairs(KEPT_FIELDS) do
      following[name] = given[name]
   end
   following.url = next_url
   if parsed.host ~= target.host then
      following.headers = without_credentials(given.headers)
   end
   return following
end

------------------------------------------------------------------------------------------------------------

-- Hands the answer's body to the sink.
local function deliver(given, answer)
   local has_body = given.method ~= "HEAD" and answer.status ~= 204 and answer.status ~= 304
   if has_body and given.sink then
      local ok, message = ltn12.pump.all(ltn12.source.string(answer.body), given.sink, given.step)
      if not ok then
         return nil, message
      end
   end
   return 1, answer.status, answer.headers, answer.line
end

function http.request(given, defaults)
   local location
   for request_count = 1, math.huge do
      local target, message = target_of(given, defaults)
      if not target then
         return nil, message
      end
      local body
      body, message = body_of(given)
      if not body then
         return nil, message
      end
      local answer
      answer, message = exchange(given, target, body, defaults)
      if not answer then
         return nil, message
      end
      answer.headers.location = answer.headers.location or location
      local following = next_request(given, target, answer, request_count)
      if not following then
         return deliver(given, answer)
      end
      given, location = following, answer.headers.location
   end
end

function http.form(address, body, request)
   local sink, chunks = ltn12.sink.table()
   local given = { url = address, sink = sink }
   if body then
      given.source, given.method = ltn12.source.string(body), "POST"
      given.headers = { ["content-type"] = "application/x-www-form-urlencoded" }
   end
   local ok, status, headers, line = request(given)
   if not ok then
      return nil, status
   end
   return concat(chunks), status, headers, line
end

return http
