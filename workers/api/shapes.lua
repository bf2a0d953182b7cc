-- shapes: how objects of the API look to a script that takes them apart.
--
-- A part, on which those that make objects build.

local host = ...
local bad_argument, type_name, wrong_range = host.bad_argument, host.type_name, host.wrong_range
local error, format, next, select, setmetatable = error, string.format, next, select, setmetatable
local getmetatable_raw = host.raw.getmetatable
local newproxy = rawget(_G, "newproxy")

-- Lua before 5.2 and LuaJIT can make a userdata, which Dovecot's handle is; elsewhere a table that shows nothing.
local handle_metatable = {
   __metatable = false,
   __name = "userdata",
   __newindex = function()
      error("attempt to index a userdata value (field 'item')", 0)
   end,
}

-- Makes what stands in an object's field `item`; the record behind the object is found by it.
function host.new_handle()
   if newproxy then
      return newproxy(false)
   end
   return setmetatable({}, handle_metatable)
end

-- Makes a kind of object in the place of a userdata. Returns its metatable, which is its own __index as Dovecot's are,
-- and two functions: new(secret) makes an object, secret_of(object) finds the secret again and raises liblua's error
-- for anything else. Lua before 5.2 and LuaJIT can make a userdata; elsewhere it is an empty table that cannot be
-- written to.
function host.object_kind(name)
   local methods = { __name = name }
   methods.__index = methods
   methods.__newindex = function()
      error(format("attempt to index a %s value", name), 0)
   end
   host.method_tables[#host.method_tables + 1] = methods
   local secrets = setmetatable({}, { __mode = "k" })

   local function new(secret)
      local object
      if newproxy then
         object = newproxy(true)
         local metatable = getmetatable_raw(object)
         for key, value in next, methods do
            metatable[key] = value
         end
      else
         object = setmetatable({}, methods)
      end
      secrets[object] = secret
      return object
   end

   local function secret_of(self)
      local secret = secrets[self]
      if secret == nil then
         bad_argument(1, format("%s expected, got %s", name, type_name(self)))
      end
      return secret
   end

   return methods, new, secret_of
end

-- Raises unless a method got between `least` and `most` arguments, itself counted.
function host.expect_count(least, most, ...)
   local count = select("#", ...)
   if count < least or count > most then
      wrong_range(least, most, count)
   end
end
