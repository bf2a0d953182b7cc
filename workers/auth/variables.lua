-- Which variables an auth request has in each dialect, and where their values come from.
--
-- request.lua reads them one at a time, only as a script asks. What the host gives (`given`: name in 2.4 -> value)
-- holds strings; numbers and booleans are put up with. Values are C strings: they end at their first NUL.
-- Mirrors auth-request-var-expand.c (2.3.19 and 2.4).

local host = ...
local concat, find, format, match, next, sub, type =
   table.concat, string.find, string.format, string.match, next, string.sub, type
local is_24 = host.native.auth_dialect ~= "2.3"

local function text_of(value, name)
   local kind = type(value)
   if kind == "string" then
      local nul = find(value, "\0", 1, true)
      return nul and sub(value, 1, nul - 1) or value
   elseif kind == "number" then
      return format("%.0f", value)
   elseif value == true then
      return name == "cert" and "valid" or name == "secured" and "secured" or "yes"
   end
end

local function local_part(user)
   return user and match(user, "^[^@]*")
end

local function domain(user)
   return user and match(user, "@(.*)$")
end

-- Name in 2.4 -> what it is where the host gives nothing; the others are nil then.
local UNSET = {
   client_pid = "0",
   id = "",
   secured = "",
   local_port = "0",
   remote_port = "0",
   cert = "",
   real_local_port = "0",
   real_remote_port = "0",
   session_pid = "",
}

-- Name -> function of `given`, for those that are made of others.
local derived = {
   -- No home is known before the userdb has been asked.
   home = function() end,
   original_user = function(given)
      return text_of(given.original_user) or text_of(given.user)
   end,
   auth_user = function(given)
      return text_of(given.master_user) or text_of(given.original_user) or text_of(given.user)
   end,
   domain_first = function(given)
      local found = domain(text_of(given.user))
      return found and match(found, "^[^@]*")
   end,
   domain_last = function(given)
      local found = domain(text_of(given.user))
      -- From the start: a search for `[^@]*$` tries every place, and the name is what a client sent.
      return found and (match(found, "^.*@(.*)$") or found)
   end,
}

-- Name -> name in 2.4.
local plain = {}

local SHARED = "user local_ip remote_ip password local_port remote_port cert login_user session real_local_ip "
   .. "real_remote_ip real_local_port real_remote_port master_user session_pid local_name client_id mechanism secured"
for name in SHARED:gmatch("%S+") do
   plain[name] = name
end

local function add_24()
   for name in ("protocol client_pid id ssl_ja3_hash ssl_client_cert_fp ssl_client_cert_pubkey_fp"):gmatch("%S+") do
      plain[name] = name
   end
   plain.owner_user = "user"
end

local function add_23()
   UNSET.mechanism, UNSET.session_pid = "", nil
   local aliases = "service=protocol pid=client_pid mech=mechanism lip=local_ip rip=remote_ip lport=local_port "
      .. "rport=remote_port real_lip=real_local_ip real_rip=real_remote_ip real_lport=real_local_port "
      .. "real_rport=real_remote_port"
   for alias, name in aliases:gmatch("([%w_]+)=([%w_]+)") do
      plain[alias] = name
   end
   derived.orig_user = derived.original_user
   local whole = {
      [""] = "user",
      login_ = "login_user",
      orig_ = "orig_user",
      original_ = "orig_user",
      auth_ = "auth_user",
   }
   for prefix, name in next, whole do
      local source = derived[name] or function(given)
         return text_of(given[name])
      end
      derived[prefix .. "username"] = function(given)
         return local_part(source(given))
      end
      derived[prefix .. "domain"] = function(given)
         return domain(source(given))
      end
   end
end

if is_24 then
   add_24()
else
   add_23()
end

-- Returns whether there is a variable of this name, and its value, which may be nil.
function host.auth_variable(given, name)
   local source = plain[name]
   if source then
      return true, text_of(given[source], source) or UNSET[source]
   end
   local make = derived[name]
   if make then
      return true, make(given)
   end
   return false
end

-- All variables for var_expand: name, NUL, `=` and value or nothing, NUL, …
function host.auth_packed_variables(given)
   local parts = {}
   local function add(name)
      local _, value = host.auth_variable(given, name)
      parts[#parts + 1] = name
      parts[#parts + 1] = value and "=" .. value or ""
   end
   for name in next, plain do
      add(name)
   end
   for name in next, derived do
      add(name)
   end
   return concat(parts, "\0")
end

host.auth_text_of = text_of
