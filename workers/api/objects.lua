-- objects: things of the host that a caller hands to a script as arguments, and how they look.
--
-- An argument {"$NAME": value} of one key becomes the object that host.argument_objects[NAME](value) makes; files
-- behind this one register theirs. runtime.py calls start_with_objects only when an argument has that shape, so other
-- calls pay nothing. Only whole arguments are looked at, not what lies inside them.

local host = ...
local start, wrong_range, bad_argument, type_name = host.start, host.wrong_range, host.bad_argument, host.type_name
local FAILED = host.FAILED
local error, format, next, select, setmetatable, sub, type =
   error, string.format, next, select, setmetatable, string.sub, type
local unpack = table.unpack or unpack
local getmetatable_raw = host.raw.getmetatable
local newproxy = rawget(_G, "newproxy")

-- Name without the `$` -> function of the value: the object, or nil and why there is none.
local argument_objects = {}
host.argument_objects = argument_objects

-- Returns the object that an argument stands for, or the argument; or nil and why there is none.
local function object_of(argument)
   if type(argument) ~= "table" then
      return argument
   end
   local key, value = next(argument)
   if type(key) ~= "string" or sub(key, 1, 1) ~= "$" or next(argument, key) ~= nil then
      return argument
   end
   local make = argument_objects[sub(key, 2)]
   if not make then
      return nil, format("there is no object '%s'", key)
   end
   return make(value)
end

-- Starts a call as host.start does, with objects in place of the arguments that stand for one.
function host.start_with_objects(name, ...)
   local count = select("#", ...)
   local arguments = { ... }
   for index = 1, count do
      local object, problem = object_of(arguments[index])
      if problem then
         return FAILED, format("argument #%d: %s", index, problem)
      end
      arguments[index] = object
   end
   return start(name, unpack(arguments, 1, count))
end

------------------------------------------------------------------------------------------------------------
-- Shape

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
