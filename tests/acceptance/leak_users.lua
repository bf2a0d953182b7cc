-- Stored passwords and user data with secrets: right ones, and one of each scheme that cannot be used.

local auth = dovecot.auth
local secret = ""

function script_init(settings)
   secret = settings and settings.secret or ""
   return 0
end

function auth_passdb_lookup(request)
   local scheme = request.user:match("^bad%-(.*)$")
   if scheme then
      return auth.PASSDB_RESULT_OK, { password = scheme == "none" and secret or "{" .. scheme .. "}" .. secret }
   end
   return auth.PASSDB_RESULT_OK,
      { password = "{PLAIN}" .. secret, pass = secret, proxy_password = secret, userdb_pass = secret }
end

function auth_userdb_lookup(request)
   if request.user == "unknown" then
      return auth.USERDB_RESULT_USER_UNKNOWN, "no such user"
   end
   return auth.USERDB_RESULT_OK, { home = "/home", uid = "1000", gid = "1000", pass = secret }
end

function auth_userdb_iterate()
   return { "joe", "ann" }
end
