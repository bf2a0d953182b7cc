-- Purpose: check logins against a table of users in a file, read once per worker. The script of `lualoft demo`.
--
-- Functions
--   script_init(settings)                   settings.users: path of the table. Returns 0; fails when it cannot be read.
--   auth_password_verify(request, password) request.user: name, any case. Returns a passdb result and
--                                             with PASSDB_RESULT_OK the extra fields { user = NAME },
--                                             with PASSDB_RESULT_PASSWORD_MISMATCH or _USER_UNKNOWN a text for the log.
--
-- The table is CSV with the header `user,password`, one user per line, passwords as `{PLAIN}text`. Plain passwords are
-- for demonstrations: the table of a real server holds hashes.

local PLAIN = "{PLAIN}"

-- Lower-case name -> password, as in the table.
local passwords = {}

local function load_users(path)
   local count = 0
   for line in io.lines(path) do
      count = count + 1
      local user, password = line:match("^([^,]+),([^\r]+)\r?$")
      if not user then
         -- The line itself holds a password.
         error(("%s:%d: not a line USER,PASSWORD"):format(path, count), 0)
      end
      passwords[user:lower()] = password
   end
   -- The header looks like a user.
   passwords["user"] = nil
end

function script_init(settings)
   if not (settings and settings.users) then
      error("the setting `users` is missing: the path of the user table", 0)
   end
   load_users(settings.users)
   return 0
end

function auth_password_verify(request, password)
   local user = request.user:lower()
   local expected = passwords[user]
   if not expected then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
   end
   if expected ~= PLAIN .. password then
      return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "password mismatch"
   end
   return dovecot.auth.PASSDB_RESULT_OK, { user = user }
end
