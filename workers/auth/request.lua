-- The auth request that passdb and userdb scripts are given, and its methods.
--
-- A table with the raw fields item, passdb, userdb and four booleans; everything else is looked up when it is asked
-- for: variable, then method, then nil. `item` is an opaque handle; the request's record is found by it, so a forged
-- handle reaches nothing. A new table per call; what a script assigns stays in that table.
-- Mirrors db-lua.c (2.3.19 and 2.4); its crashes on forged objects are errors here.

local host = ...
host.load_log()
local native, check_string, emit, emit_debug, location =
   host.native, host.check_string, host.emit, host.emit_debug, host.location
local auth_variable, text_of = host.auth_variable, host.auth_text_of
local error, find, format, gmatch, next, rawget, setmetatable, sub, type =
   error, string.find, string.format, string.gmatch, next, rawget, setmetatable, string.sub, type
local concat = table.concat
local new_handle = host.new_handle
local is_24 = native.auth_dialect ~= "2.3"

-- Handle -> record: { given = the host's table, options = …, log_record = made at the first log line }.
local records = setmetatable({}, { __mode = "k" })
local methods = {}
host.method_tables[#host.method_tables + 1] = methods

local function record_of(self)
   local record = type(self) == "table" and records[rawget(self, "item")]
   if not record then
      error(format("Bad argument #1, expected auth_request got %s", type(self)), 0)
   end
   return record
end

-- The auth event: what request:event() stands below, and where Dovecot itself logs about the request.
local function log_record_of(record)
   local log_record = record.log_record
   if not log_record then
      local given = record.given
      log_record = host.new_record(host.script_record)
      log_record.prefix = native.auth_log_prefix(
         text_of(given.user) or "",
         text_of(given.remote_ip) or "",
         text_of(given.session) or ""
      )
      record.log_record = log_record
   end
   return log_record
end

-- Logs what the auth process says about what a script returned.
function host.auth_warn(record, text)
   emit(log_record_of(record), "warning", text, "<non-file location>", 0)
end

------------------------------------------------------------------------------------------------------------
-- Logs

-- log_debug(text): written only if debug lines are wanted.
function methods.log_debug(self, text)
   local record = record_of(self)
   emit_debug(log_record_of(record), "db-lua: " .. check_string(text, 2), location())
end

-- log_info, log_warning, log_error(text)
for _, level in ipairs({ "info", "warning", "error" }) do
   methods["log_" .. level] = function(self, text)
      local record = record_of(self)
      emit(log_record_of(record), level, "db-lua: " .. check_string(text, 2), location())
   end
end

-- event(): a new event below the request's.
function methods.event(self)
   host.load_events()
   return host.push_event(host.new_record(log_record_of(record_of(self))))
end

------------------------------------------------------------------------------------------------------------
-- Expansion

local function packed_fields(fields)
   local parts = {}
   for key, value in next, fields or {} do
      parts[#parts + 1] = key
      parts[#parts + 1] = "=" .. (text_of(value) or "")
   end
   return concat(parts, "\0")
end

-- `keeps_unknown`: in 2.3 a script does not learn that there is no such variable.
local function expand(given, template, keeps_unknown)
   return native.auth_var_expand(
      template,
      host.auth_packed_variables(given),
      packed_fields(given.passdb),
      packed_fields(given.userdb),
      keeps_unknown
   )
end

local function expanded(record, template)
   local is_expanded, result = expand(record.given, template, true)
   if is_expanded then
      return result
   end
   error("var_expand(" .. template .. ") failed: " .. result, 0)
end

-- Expands a template that a field holds. Returns whether that worked, and the text or what is wrong.
function host.exports.auth_expand(given, template)
   return host.DONE, expand(given, template, false)
end

-- var_expand(template): a string; raises `var_expand(TEMPLATE) failed: DETAIL`.
function methods.var_expand(self, template)
   local record = record_of(self)
   return (expanded(record, check_string(template, 2)))
end

-- response_from_template(template): table of the `key=value` words, each value expanded. Until 2.4.0.
if not is_24 then
   function methods.response_from_template(self, template)
      local record = record_of(self)
      local response = {}
      for word in gmatch(check_string(template, 2), "[^ ]+") do
         local equals = find(word, "=", 1, true)
         if equals and equals > 1 then
            response[sub(word, 1, equals - 1)] = expanded(record, sub(word, equals + 1))
         end
      end
      return response
   end
end

------------------------------------------------------------------------------------------------------------
-- Passwords

-- A string or a number as a C string; nil for anything else.
local function c_string(value)
   if type(value) == "string" or type(value) == "number" then
      return check_string(value, 2)
   end
end

-- password_verify(stored, plain): (1.0, nil) match · (0.0, text) mismatch or unknown scheme · (-1.0, text) unusable.
-- Cheap schemes are checked at once; for the others the call waits for a thread.
function methods.password_verify(self, stored, plain)
   local record = record_of(self)
   local crypted, password = c_string(stored), c_string(plain)
   if not crypted then
      error("Crypted password must not be nil", 0)
   elseif not password then
      error("Plain password must not be nil", 0)
   end
   local options = record.given.options
   local allows_weak = not is_24 or (type(options) == "table" and options.allow_weak_schemes == true)
   local _, user = auth_variable(record.given, "original_user")
   local result, text = native.auth_quick_verify(crypted, password, user or "", allows_weak)
   if result == nil then
      result, text =
         host.await("password_verify", crypted, password, user or "", native.auth_dialect, "PLAIN", allows_weak)
   end
   -- The operation itself failed: that is no verdict on the password.
   return (result or -1) + 0.0, text
end

------------------------------------------------------------------------------------------------------------
-- The objects

local metatable = { __name = "auth_request*" }

function metatable.__index(self, key)
   local record = record_of(self)
   key = check_string(key, 2)
   local is_variable, value = auth_variable(record.given, key)
   if is_variable then
      return value
   end
   return methods[key] or rawget(self, key)
end

local function fields_metatable(name)
   return {
      __name = name .. "_auth_request*",
      __index = function(self, key)
         local record = record_of(self)
         key = check_string(key, 2)
         local fields = record.given[name]
         return type(fields) == "table" and text_of(fields[key]) or nil
      end,
   }
end

local passdb_metatable, userdb_metatable = fields_metatable("passdb"), fields_metatable("userdb")

-- Makes the object of one call. `given` holds variables, passdb, userdb, options and the four booleans.
-- Returns it and its record.
function host.new_auth_request(given)
   local record, handle = { given = given }, new_handle()
   records[handle] = record
   return setmetatable({
      item = handle,
      passdb = setmetatable({ item = handle }, passdb_metatable),
      userdb = setmetatable({ item = handle }, userdb_metatable),
      skip_password_check = given.skip_password_check or false,
      passdbs_seen_user_unknown = given.passdbs_seen_user_unknown or false,
      passdbs_seen_internal_failure = given.passdbs_seen_internal_failure or false,
      userdbs_seen_internal_failure = given.userdbs_seen_internal_failure or false,
   }, metatable),
      record
end
