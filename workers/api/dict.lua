-- dict objects and dovecot.dict.open(name), which is ours.
--
-- A dict reaches a script as an argument, {"$dict": "NAME"}, or from dovecot.dict.open; only those that the script's
-- settings name. Keys and values are C strings: they end at their first NUL. Mirrors lib-dict-lua (2.3, 2.4).

local host = ...
local await, check_string, wrong_count, native =
   host.await, host.check_string, host.wrong_count, host.native
local error, format, select, sub, type = error, string.format, select, string.sub, type

local methods, new, secret_of = host.object_kind("struct dict")
host.dict_methods, host.dict_name = methods, secret_of

-- Raises unless a key or path is valid for a user ("" for none). Checked before anything is asked.
function host.check_dict_key(key, username)
   if sub(key, 1, 5) == "priv/" then
      if username == "" then
         error("priv/ dict key prefix requires username", 0)
      end
   elseif sub(key, 1, 7) ~= "shared/" then
      error("Invalid dict key prefix", 0)
   end
end
local check_dict_key = host.check_dict_key

-- What workers/dict_binding answers a lookup with.
local FOUND, MISSING = 1, 0

local function found(kind, ...)
   if kind == FOUND then
      return { ... }
   elseif kind == MISSING then
      return nil
   end
   error((...), 0)
end

-- lookup(key[, username]) -> list of values, 1-based | nil. Waits. Raises what the driver says, without a position.
function methods.lookup(...)
   host.expect_count(2, 3, ...)
   local self, key, username = ...
   local name = secret_of(self)
   key = check_string(key, 2)
   username = select("#", ...) == 3 and check_string(username, 3) or ""
   check_dict_key(key, username)
   return found(await("dict_lookup", name, key, username))
end

------------------------------------------------------------------------------------------------------------
-- Opening

-- Returns a dict, or nil and why there is none.
local function open(name)
   if type(name) ~= "string" then
      return nil, format("the name of a dict is a string, not a %s", type(name))
   elseif not native.is_dict_allowed(name) then
      return nil, format("dict '%s' is not among the dicts of this script's settings", name)
   end
   return new(name)
end

host.made.dict_argument = open

-- dovecot.dict.open(name) -> dict. Raises when the script may not open it.
function host.made.dict_open(...)
   local count = select("#", ...)
   if count ~= 1 then
      wrong_count(1, count)
   end
   local dict, problem = open(check_string((...), 1))
   if not dict then
      error(problem, 0)
   end
   return dict
end
