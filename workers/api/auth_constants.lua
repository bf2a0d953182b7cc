-- dovecot.auth: the result codes of passdb and userdb scripts.
--
-- Floats, as Dovecot pushes them: tostring(dovecot.auth.PASSDB_RESULT_OK) is "1.0" from Lua 5.3 on.
-- USERDB_RESULT_USER_UNKNOWN is -2 while PASSDB_RESULT_USER_UNKNOWN is -3. Mirrors db-lua.c (2.3 and 2.4).

local host = ...

host.dovecot.auth = {
   PASSDB_RESULT_OK = 1.0,
   PASSDB_RESULT_PASSWORD_MISMATCH = 0.0,
   PASSDB_RESULT_INTERNAL_FAILURE = -1.0,
   PASSDB_RESULT_SCHEME_NOT_AVAILABLE = -2.0,
   PASSDB_RESULT_USER_UNKNOWN = -3.0,
   PASSDB_RESULT_USER_DISABLED = -4.0,
   PASSDB_RESULT_PASS_EXPIRED = -5.0,
   PASSDB_RESULT_NEXT = -6.0,
   USERDB_RESULT_OK = 1.0,
   USERDB_RESULT_INTERNAL_FAILURE = -1.0,
   USERDB_RESULT_USER_UNKNOWN = -2.0,
}
