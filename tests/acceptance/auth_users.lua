-- What the tests of `lualoft auth` ask: one user per behaviour.

local auth = dovecot.auth
local hashes = { joe = "{PLAIN}hunter2", ann = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" }

local results = {
   off = { auth.PASSDB_RESULT_USER_DISABLED, "left the company" },
   old = { auth.PASSDB_RESULT_PASS_EXPIRED, "since May" },
   later = { auth.PASSDB_RESULT_NEXT, "not mine" },
   broken = { auth.PASSDB_RESULT_INTERNAL_FAILURE, "no backend" },
}

function auth_passdb_lookup(request)
   local user = request.user
   if user == "boom" then
      error("it went wrong")
   elseif results[user] then
      return results[user][1], results[user][2]
   elseif not hashes[user] then
      return auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
   end
   request:log_info("from " .. tostring(request.remote_ip))
   return auth.PASSDB_RESULT_OK,
      { password = hashes[user], quota = "5G", flag = "", pass = "proxysecret", userdb_uid = "1000" }
end

function auth_userdb_lookup(request)
   local user = request.user
   if user == "boom" then
      error("it went wrong")
   elseif not hashes[user] then
      return auth.USERDB_RESULT_USER_UNKNOWN, "no such user"
   end
   return auth.USERDB_RESULT_OK,
      { home = "/home/" .. user, uid = "1000", gid = "1000", flag = "", seen = tostring(request.protocol) }
end

function auth_userdb_iterate()
   return { "joe", "ann", "Bob@example.org", "bad\nname\27", "caf\233" }
end
