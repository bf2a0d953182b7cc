-- What the leak scan calls; none of it logs, raises or returns what it was given.
-- luacheck: globals size add index format level_2 spin stick grow nap post_24 post_23 fetch leak

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

function auth_password_verify(request, password)
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

-- The deliberate leak.
function leak(text)
   dovecot.i_warning("the password is " .. text)
   return true
end
