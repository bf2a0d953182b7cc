-- Purpose: a gate in a chain: the links behind it are asked only if one before it failed internally.
--
-- Functions
--   auth_passdb_lookup(request) Returns PASSDB_RESULT_NEXT if an earlier passdb had an internal failure; otherwise what
--                                 the earlier ones said, PASSDB_RESULT_USER_UNKNOWN or _PASSWORD_MISMATCH, and a text.
--
-- So a directory that is down does not lock everybody out, and one that works is never overruled by old passwords:
--
--   passdb lua {                          # 1. Wrong networks end here, with USER_DISABLED; the others go on with NEXT.
--     lua_file = ip_policy.lua
--   }
--   passdb lua {                          # 2. The directory. Its OK ends the chain. All else goes on, because of the
--     lua_file = http_verify_24.lua       #    defaults result_failure = continue, result_internalfail = continue.
--   }
--   passdb lua {                          # 3. The gate. If the directory answered, its "no" is the chain's.
--     lua_file = chain_fallback.lua
--     result_failure = return-fail
--   }
--   passdb lua {                          # 4. A copy of the most important users. If it says no, the login ends as an
--     lua_file = passwd_file.lua          #    internal failure, as nobody knows what the directory would have said.
--   }
--
-- The same through the pool (dispatcher.auth):
--
--   await auth.verify_chain(
--       [Link("ip_policy"), Link("http_verify"), Link("chain_fallback", result_failure=Rule.RETURN_FAIL),
--        Link("passwd_file")], {"user": "joe", "remote_ip": "192.0.2.7"}, password)

function auth_passdb_lookup(request)
   if request.passdbs_seen_internal_failure then
      request:log_warning("an earlier passdb failed, asking the fallback")
      -- In 2.3 the string is a list of fields, here an empty one; nil would be an error there.
      return dovecot.auth.PASSDB_RESULT_NEXT, ""
   elseif request.passdbs_seen_user_unknown then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no passdb knows the user"
   end
   return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "the passdbs answered, there is no fallback"
end
