-- Purpose: the same user data for everybody, made of templates: uid, gid, home and whatever else is set.
--
-- Functions
--   script_init(settings)       each setting is a userdb field and its template. Returns 0; fails without `home`.
--   auth_userdb_lookup(request) Returns USERDB_RESULT_OK and the expanded fields, or USERDB_RESULT_USER_UNKNOWN and a
--                                 text for a name that would lead out of its folder. Whether the user exists is not
--                                 asked: that is the passdb's business.
--
-- Settings; Dovecot 2.3 passes none, there they are written into the table below. For example
--   uid = "vmail", gid = "vmail", home = "/srv/mail/%{user|domain}/%{user|username}"      2.3: "/srv/mail/%d/%n"

local templates = {}

-- A part of a name becomes a folder: neither part may be empty, hidden, `..`, or hold a slash or a control character.
local function is_safe(user)
   if user:find("[%c/]") or user:find("^@") or user:find("@$") then
      return false
   end
   for part in user:gmatch("[^@]+") do
      if part:find("^%.") then
         return false
      end
   end
   return user ~= ""
end

function script_init(given)
   for name, template in pairs(given or {}) do
      templates[name] = template
   end
   if not templates.home then
      error("the setting `home` is missing: the template of the user's folder", 0)
   end
   return 0
end

function auth_userdb_lookup(request)
   if not is_safe(request.user or "") then
      return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "the name cannot be that of a folder"
   end
   local fields = {}
   for name, template in pairs(templates) do
      fields[name] = request:var_expand(template)
   end
   return dovecot.auth.USERDB_RESULT_OK, fields
end
