-- Purpose: users from a file in Dovecot's passwd-file format: logins, user data, the list of users.
--
-- Functions
--   script_init(settings)       takes the settings below. Returns 0; fails when `file` is missing.
--   auth_passdb_lookup(request) request.user: the name as it stands in the file. Returns a passdb result and
--                                 with PASSDB_RESULT_OK the fields { password = "{SCHEME}hash", extra fields },
--                                 otherwise a text for the log.
--   auth_userdb_lookup(request) the same for the userdb: the fields uid, gid, home, and every `userdb_NAME` as NAME.
--   auth_userdb_iterate()       returns the names in the order of the file; fails when it cannot be read.
--
-- Settings; Dovecot 2.3 passes none, there they are written into the table below.
--   file      path of the file
--   reload_s  seconds between two looks at the file; default 2
--
-- Lines are `user:{SCHEME}hash:uid:gid:gecos:home:shell:NAME=VALUE NAME=VALUE`; those that begin with `#` are
-- comments.
-- As in Dovecot: the first line of a user counts, a hash without a scheme is a CRYPT one, home and values may hold
-- variables (`%{user}`, in 2.3 `%u`). A changed file is read again; replace it by renaming a complete one over it.
-- While it cannot be read every answer is an internal failure; so it is for a user whose line has no password field.

local settings = { file = "", reload_s = "2" }

-- Text of the file, name -> its line from the first colon on, and the names in order.
local text, lines, names = nil, {}, {}
-- When the file was looked at, and why it could not be read.
local looked_s, trouble

local function read_file(path)
   local file, reason = io.open(path, "rb")
   if not file then
      return nil, reason
   end
   local content, read_reason = file:read("*a")
   file:close()
   return content, read_reason
end

local function take(content)
   text, lines, names = content, {}, {}
   local repeated_count = 0
   for line in content:gmatch("[^\r\n]+") do
      local name, rest = line:match("^([^:#][^:]*)(.*)$")
      if name and lines[name] then
         repeated_count = repeated_count + 1
      elseif name then
         lines[name] = rest
         names[#names + 1] = name
      end
   end
   if repeated_count > 0 then
      dovecot.i_warning(("%s: %d lines name a user again and are ignored"):format(settings.file, repeated_count))
   end
end

local function refresh()
   local now_s = os.time()
   -- A clock that is set back must not end the looking.
   if looked_s and math.abs(now_s - looked_s) < tonumber(settings.reload_s) then
      return
   end
   looked_s = now_s
   local content, reason = read_file(settings.file)
   trouble = not content and reason or nil
   -- Lua cannot ask for the time of a change, and comparing takes less time than reading.
   if content and content ~= text then
      take(content)
   end
end

local function extra_fields(words)
   local fields = {}
   for word in words:gmatch("[^ ]+") do
      local name, value = word:match("^([^=]+)=?(.*)$")
      if name then
         fields[name] = value
      end
   end
   return fields
end

-- Returns a user's entry, or nil if there is none; and a text if nobody can say.
local function find(name)
   refresh()
   if trouble or not lines[name] then
      return nil, trouble
   end
   -- Extra fields may hold colons.
   local password, uid, gid, home, extra =
      lines[name]:match("^:([^:]*):?([^:]*):?([^:]*):?[^:]*:?([^:]*):?[^:]*:?(.*)$")
   if not password then
      return nil, settings.file .. ": the user's line has no password field"
   end
   return { password = password, uid = uid, gid = gid, home = home, extra = extra_fields(extra) }
end

function script_init(given)
   for name, value in pairs(given or {}) do
      if not settings[name] then
         error(("unknown setting `%s`"):format(name), 0)
      end
      settings[name] = value
   end
   if settings.file == "" then
      error("the setting `file` is missing: the path of the passwd-file", 0)
   elseif not tonumber(settings.reload_s) then
      error("the setting `reload_s` is not a number of seconds", 0)
   end
   return 0
end

function auth_passdb_lookup(request)
   local user, problem = find(request.user)
   if problem then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, problem
   elseif not user then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
   end
   local fields = {}
   for name, value in pairs(user.extra) do
      fields[name] = request:var_expand(value)
   end
   if user.password ~= "" then
      -- The default scheme of Lua passdbs is another one in 2.3.
      fields.password = user.password:find("^{.-}") and user.password or "{CRYPT}" .. user.password
   end
   return dovecot.auth.PASSDB_RESULT_OK, fields
end

function auth_userdb_lookup(request)
   local user, problem = find(request.user)
   if problem then
      return dovecot.auth.USERDB_RESULT_INTERNAL_FAILURE, problem
   elseif not user then
      return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "no such user"
   end
   local fields = {}
   for name, value in pairs(user.extra) do
      local userdb_name = name:match("^userdb_(.+)$")
      if userdb_name then
         fields[userdb_name] = request:var_expand(value)
      end
   end
   for _, name in ipairs({ "uid", "gid", "home" }) do
      if user[name] ~= "" then
         fields[name] = request:var_expand(user[name])
      end
   end
   return dovecot.auth.USERDB_RESULT_OK, fields
end

function auth_userdb_iterate()
   refresh()
   if trouble then
      error(trouble, 0)
   end
   return names
end
