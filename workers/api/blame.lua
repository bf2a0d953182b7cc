-- Who called one of our functions wrongly, and how liblua words it.
--
-- A part: it comes in when something is wrong (check.lua). Mirrors luaL_argerror and luaL_where of Lua 5.1 to 5.5.

local host = ...
local is_our_source, getinfo, getmetatable_raw = host.is_our_source, host.raw.getinfo, host.raw.getmetatable
local error, format, next, rawequal, rawget, type = error, string.format, next, rawequal, rawget, type
local tointeger = math.tointeger
local knows_tail_calls = not host.native.is_lua51 and not host.native.is_luajit

-- Finds the first frame that is not ours. Returns its level, seen from the function that asks, and whether the function
-- below it, which the script called, was tail-called (`return dovecot.event(1)`): the frame of the code that called it
-- is gone then, and the one found would be the wrong place. LuaJIT cannot tell. Lua 5.1 shows each lost frame as one of
-- its own kind, also where our functions tail-call each other.
local function find_caller()
   local level, caller = 2, 3
   local info = getinfo(level, "S")
   while info and (info.what == "tail" or is_our_source(info.source)) do
      level = level + 1
      if info.what ~= "tail" then
         caller = level
      end
      info = getinfo(level, "S")
   end
   level, info = caller, getinfo(caller, "S")
   if knows_tail_calls then
      return level - 1, getinfo(level - 1, "t").istailcall
   end
   return level - 1, info ~= nil and info.what == "tail"
end

local function position_of(info)
   if info and info.currentline > 0 then
      return info.short_src .. ":" .. format("%d", info.currentline) .. ": "
   end
   return ""
end

-- The position prefix of liblua's errors: "script.lua:5: ", or nothing where C code called.
function host.made.where()
   local level, is_tail = find_caller()
   return is_tail and "" or position_of(getinfo(level, "Sl"))
end

-- How liblua names a function that it cannot see called by name: as a member of a loaded module.
local function loaded_name(fn)
   for module_name, module in next, host.loaded_modules do
      if type(module) == "table" and type(module_name) == "string" then
         for key, value in next, module do
            if type(key) == "string" and rawequal(value, fn) then
               return module_name == "_G" and key or module_name .. "." .. key
            end
         end
      end
   end
end

local function method_name(fn)
   for _, methods in next, host.method_tables do
      for name, method in next, methods do
         if rawequal(method, fn) then
            return name
         end
      end
   end
end

local function wording(callee, name, index, detail)
   if callee.namewhat == "method" then
      index = index - 1
      if index == 0 then
         return format("calling '%s' on bad self (%s)", name, detail)
      end
   end
   return format("bad argument #%d to '%s' (%s)", index, name or loaded_name(callee.func) or "?", detail)
end

-- Raises liblua's error for argument `index` (self counted) of the function that the script called.
function host.made.bad_argument(index, detail)
   local level, is_tail = find_caller()
   local callee = getinfo(level - 1, "nf")
   local name = callee.name
   if is_tail then
      name = method_name(callee.func)
   end
   local position = is_tail and "" or position_of(getinfo(level, "Sl"))
   error(position .. wording(callee, name, index, detail), 0)
end

-- The type as liblua names it: a metatable's __name from Lua 5.3 on.
local function type_name(value)
   local metatable = tointeger and getmetatable_raw(value)
   local name = metatable and rawget(metatable, "__name")
   return type(name) == "string" and name or type(value)
end
host.made.type_name = type_name
