-- What the leak scan calls; none of it logs, raises or returns what it was given.
-- luacheck: globals size add index format level_2 spin stick grow nap post_24 post_23 fetch leak
-- luacheck: globals dict_set dict_get dict_count dict_walk dict_leak resolve decode tls ask

local auth = dovecot.auth
local secret = ""

function script_init(settings)
   secret = settings and settings.secret or ""
   return 0
end

function size(text)
   dovecot.i_info("a witness in the log")
   return #text + #secret
end

-- What cannot be expanded is logged, without the password that it was to be expanded with.
local templates = {
   "%{password | nosuch}", "%{password | substr(x)}", "%{password | unbase64}", "%{password | unhexlify}",
   "%{password + 1}", "%{password / 0}", "%{password | regexp('(', 'x')}", "%{password | number}", "%{password",
   "%{password | encrypt(algorithm='none')}", "%{password | lookup}", "%{password | hash('none')}",
}

local function expand(request)
   for _, template in ipairs(templates) do
      local _, problem = pcall(request.var_expand, request, template)
      dovecot.i_info(template .. ": " .. tostring(problem))
   end
end

function auth_password_verify(request, password)
   if request.user == "expand" then
      expand(request)
   end
   if password:sub(1, 6) == "Geheim" then
      return auth.PASSDB_RESULT_OK, { user = request.user }
   end
   return auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no"
end

function auth_passdb_lookup()
   return auth.PASSDB_RESULT_OK, { password = "{PLAIN}" .. secret, nopassword = nil }
end

function add(text) return text + 1 end
function index(text) return text.a.b end
function format(text) return ("%d"):format(text) end
function level_2(text) error({ text }) end
function spin(text) while #text > 0 do end end -- luacheck: ignore
function stick(text) return (("a"):rep(#text) .. "b"):find(("a-"):rep(#text) .. "c") end

function grow(text)
   while true do text = text .. text end
end

function nap(text)
   require("socket").sleep(1.5)
   return #text
end

-- dovecot.http, dialect 2.4.
function post_24(url, proxy, proxy_password, token, payload)
   local client = dovecot.http.client({ proxy_url = proxy, proxy_username = "joe", proxy_password = proxy_password })
   local request = client:request({ url = url, method = "POST" })
   request:add_header("Authorization", "Bearer " .. token)
   request:set_payload(payload)
   return request:submit():status()
end

-- dovecot.http, dialect 2.3, with all that it says.
function post_23(url, proxy, proxy_password, token, payload)
   proxy = proxy:gsub("//", "//joe:" .. proxy_password .. "@")
   local client = dovecot.http.client({ proxy_url = proxy, debug = true })
   local request = client:request({ url = url, method = "POST" })
   request:add_header("Authorization", "Bearer " .. token)
   request:set_payload(payload)
   return request:submit():status()
end

function fetch(url, password, token, payload)
   local _, status = require("socket.http").request({
      url = url:gsub("//", "//joe:" .. password .. "@"),
      method = "POST",
      headers = { authorization = "Bearer " .. token, ["content-length"] = #payload },
      source = require("ltn12").source.string(payload),
   })
   return status
end

-- A client's key that has a password.
function tls(url, authority, certificate, key, key_password)
   local client = dovecot.http.client({
      ssl_client_ca_file = authority,
      ssl_client_cert_file = certificate, ssl_client_key_file = key, ssl_client_key_password = key_password,
   })
   return client:request({ url = url }):submit():status()
end

-- Requests that end in every way, by what the server answers; with redirects, retries and a transcript.
function ask(url, folder, token)
   local client = dovecot.http.client({
      rawlog_dir = folder, request_max_redirects = 3, request_max_attempts = 2, request_timeout = "1s",
   })
   local request = client:request({ url = url, method = "GET" })
   request:add_header("Authorization", "Bearer " .. token)
   request:add_header("Cookie", "session=" .. token)
   return request:submit():status()
end

function resolve(host)
   local addresses, _, code = dovecot.dns_client():lookup(host)
   return addresses and #addresses or code
end

-- Everything that takes text apart says what is wrong with it, and not what it is.
function decode(text)
   for _, name in ipairs({ "json", "cjson", "dkjson", "rapidjson" }) do
      for _, broken in ipairs({ text, '"' .. text, '["' .. text .. '" x]', '{"' .. text .. '": ' }) do
         local _, value, _, problem = pcall(require(name).decode, broken)
         dovecot.i_info(name .. ": " .. tostring(problem or value))
      end
   end
   for _, broken in ipairs({ "http://" .. text .. ":x@h/", "//" .. text, text .. ":" }) do
      local _, problem = pcall(dovecot.http.client({}).request, nil, { url = broken })
      dovecot.i_info(tostring(problem))
   end
   return #text
end

-- Dicts.
function dict_set(name, user, key, value)
   local transaction = dovecot.dict.open(name):transaction_begin(user)
   transaction:set(key, value)
   transaction:commit()
   return true
end

function dict_get(name, user, key)
   local values = dovecot.dict.open(name):lookup(key, user)
   return values and #values[1]
end

function dict_count(name, key)
   local transaction = dovecot.dict.open(name):transaction_begin()
   transaction:atomic_inc(key, 1)
   transaction:commit()
   return true
end

function dict_walk(name)
   local rows, bytes = 0, 0
   local flags = dovecot.dict.ITERATE_FLAG_RECURSE | dovecot.dict.ITERATE_FLAG_SORT_BY_VALUE
   for _, values in dovecot.dict.open(name):iterate("shared/", flags) do
      rows, bytes = rows + 1, bytes + #values[1]
   end
   return rows, bytes
end

-- The deliberate leaks.
function leak(text)
   dovecot.i_warning("the password is " .. text)
   return true
end

function dict_leak(name, key)
   error("the value is " .. dovecot.dict.open(name):lookup(key)[1])
end
