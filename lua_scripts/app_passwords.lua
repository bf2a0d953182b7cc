-- Purpose: app passwords: each user has several, each with a name, the services that it is for, and perhaps a last day.
--
-- Functions
--   script_init(settings)                   takes the settings below. Returns 0; fails when `file` is missing.
--   auth_password_verify(request, password) request.user: the name as in the file. Returns a passdb result and
--                                             with PASSDB_RESULT_OK the fields { userdb_app = its name },
--                                             otherwise a text for the log. The log says which password matched.
--
-- Settings; Dovecot 2.3 passes none, there they are written into the table below.
--   file      path of the file
--   reload_s  seconds between two looks at the file; default 2
--
-- Lines are `user:name:services:last day:{SCHEME}hash`, such as `joe:phone:imap,submission:2027-12-31:{SSHA256}…`;
-- those that begin with `#` are comments. No services: all of them. No last day: for ever; days are UTC. A name has
-- letters, digits and `_.-`. A changed file is read again; replace it by renaming a complete one over it.
-- "Wrong password" is said only if every password of the user that is meant for the service was tried and does not
-- match. A file, line or hash that cannot be read, or more hashes than are tried, make an internal failure of it.

local settings = { file = "", reload_s = "2" }

-- Hashes are slow by design: no login may have more of them computed.
local MAX_TRIED_COUNT = 10

-- What password_verify says of a password that is wrong; other texts are about the stored hash.
local MISMATCH_TEXT = "Password mismatch"

-- Text of the file, and user -> array of its lines from the first colon on.
local text, lines = nil, {}
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
   text, lines = content, {}
   for line in content:gmatch("[^\r\n]+") do
      local user, rest = line:match("^([^:#][^:]*)(.*)$")
      if user then
         lines[user] = lines[user] or {}
         table.insert(lines[user], rest)
      end
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

-- Reads the rest of a line; nil if it is malformed.
local function entry_of(line)
   local name, services, last_day, hash = line:match("^:([%w_.-]+):([%w_,-]*):([%d-]*):({[%w.-]+}.*)$")
   if name and (last_day == "" or last_day:find("^%d%d%d%d%-%d%d%-%d%d$")) then
      return { name = name, services = services, last_day = last_day, hash = hash }
   end
end

local function is_meant(entry, service)
   local is_current = entry.last_day == "" or os.date("!%Y-%m-%d") <= entry.last_day
   local is_for_service = entry.services == ""
      or (service and ("," .. entry.services .. ","):find("," .. service .. ",", 1, true))
   return is_current and is_for_service
end

-- Returns the entry that the password matches, or nil; and a text if that is not certain.
local function matching(request, password)
   local tried_count, problem = 0, nil
   -- 2.4 calls it protocol, 2.3 service.
   local service = request.protocol or request.service
   for _, line in ipairs(lines[request.user]) do
      local entry = entry_of(line)
      if not entry then
         problem = settings.file .. ": a line of the user is malformed"
      elseif is_meant(entry, service) then
         if tried_count == MAX_TRIED_COUNT then
            return nil, ("the user has more than %d app passwords for the service"):format(MAX_TRIED_COUNT)
         end
         tried_count = tried_count + 1
         -- 1: match; 0: mismatch; -1: not to be checked. All of them are true to Lua.
         local result, reason = request:password_verify(entry.hash, password)
         if result == 1 then
            return entry
         elseif result ~= 0 or reason ~= MISMATCH_TEXT then
            problem = ("app password %s: %s"):format(entry.name, reason)
         end
      end
   end
   return nil, problem
end

function script_init(given)
   for name, value in pairs(given or {}) do
      if not settings[name] then
         error(("unknown setting `%s`"):format(name), 0)
      end
      settings[name] = value
   end
   if settings.file == "" then
      error("the setting `file` is missing: the path of the app passwords", 0)
   elseif not tonumber(settings.reload_s) then
      error("the setting `reload_s` is not a number of seconds", 0)
   end
   return 0
end

function auth_password_verify(request, password)
   refresh()
   if trouble then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, trouble
   elseif not lines[request.user] then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "the user has no app password"
   end
   local entry, problem = matching(request, password)
   if entry then
      request:log_info("app password " .. entry.name .. " matched")
      return dovecot.auth.PASSDB_RESULT_OK, { userdb_app = entry.name }
   elseif problem then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, problem
   end
   return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "no app password matches"
end
