-- objects: things of the host that a caller hands to a script as arguments.
--
-- An argument {"$NAME": value} of one key becomes the object that host.argument_objects[NAME](value) makes; files
-- behind this one register theirs. runtime.py calls start_with_objects only when an argument has that shape, so other
-- calls pay nothing. Only whole arguments are looked at, not what lies inside them.

local host = ...
local start, FAILED = host.start, host.FAILED
local format, next, select, sub, type = string.format, next, select, string.sub, type
local unpack = table.unpack or unpack

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
