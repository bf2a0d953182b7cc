-- Purpose: have a web service check logins: one POST with JSON each. For Dovecot 2.3.19 and
-- later; for 2.4 see http_verify_24.lua.
--
-- Functions
--   script_init()                           Returns 0; fails when `url` is missing.
--   auth_password_verify(request, password) Returns a passdb result and with PASSDB_RESULT_OK those of FIELDS that the
--                                             service gave, otherwise a text for the log.
--
-- Settings; Dovecot 2.3 passes none, they are written into the table below.
--   url      where to POST; use https unless it is on this machine
--   token    if set, sent as `Authorization: Bearer TOKEN`
--   timeout_msecs  for one login, all attempts included, in milliseconds
--
-- The service is sent {"user": …, "password": …, "protocol": …, "remote_ip": …} and answers with the status
--   200  the password is right. The body is a JSON object of fields: {"userdb_quota_rule": "*:storage=5G"}, or {}.
--   403  it is wrong          404  there is no such user
-- Everything else, silence and a body that is no object are internal failures: 401 means that the token is wrong.

local json = require("cjson")

local settings = { url = "", token = "", timeout_msecs = 5000 }

-- What the service may say about a user; nothing else that it answers reaches Dovecot.
local FIELDS = { "user", "userdb_home", "userdb_uid", "userdb_gid", "userdb_mail", "userdb_quota_rule" }

-- Of the last attempt and of the ones before: asking twice whether a password is right does no harm.
local ATTEMPT_COUNT = 2

-- Made once, so that connections are kept between logins.
local client

function script_init()
   if not settings.url:find("^https?://") then
      error("the setting `url` is missing or no http or https URL", 0)
   end
   client = dovecot.http.client({
      request_absolute_timeout_msecs = settings.timeout_msecs,
      max_attempts = ATTEMPT_COUNT,
      -- A password goes nowhere but to the URL.
      no_auto_redirect = true,
   })
   return 0
end

-- Returns the JSON of a login; nil if it cannot be said in JSON, whose text is UTF-8.
local function question(request, password)
   if utf8.len(request.user) and utf8.len(password) then
      return json.encode({
         user = request.user,
         password = password,
         protocol = request.service,
         remote_ip = request.remote_ip,
      })
   end
end

-- Returns the fields of an answer; nil if it is none.
local function answered_fields(text)
   local is_json, answer = pcall(json.decode, text)
   if not is_json or type(answer) ~= "table" or answer[1] ~= nil then
      return nil
   end
   local fields = {}
   for _, name in ipairs(FIELDS) do
      local value = answer[name]
      if type(value) == "string" or type(value) == "number" then
         fields[name] = value
      elseif value ~= nil then
         return nil
      end
   end
   return fields
end

local function post(text)
   local request = client:request({ url = settings.url, method = "POST" })
   request:add_header("Content-Type", "application/json")
   if settings.token ~= "" then
      request:add_header("Authorization", "Bearer " .. settings.token)
   end
   request:set_payload(text)
   return request:submit()
end

function auth_password_verify(request, password)
   local text = question(request, password)
   if not text then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "user name or password is not UTF-8"
   end
   local response = post(text)
   local status = response:status()
   if status == 403 then
      return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, "the service says so"
   elseif status == 404 then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "the service says so"
   elseif status ~= 200 then
      local reason = ("the service answered %d %s"):format(status, response:reason())
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, reason
   end
   local fields = answered_fields(response:payload())
   if not fields then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "the service answered 200 without the JSON object of fields"
   end
   return dovecot.auth.PASSDB_RESULT_OK, fields
end
