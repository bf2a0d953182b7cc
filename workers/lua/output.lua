-- output: print and warn, whose text goes through the host, so that the limits of a call's log hold for it.
--
-- Lua's own write to the process's output, as much as a loop can. Mirrors luaB_print and warnf (lbaselib.c, lauxlib.c)
-- of each version; Lua's own warnings, of finalisers that failed, stay off.

local host = ...
local write = host.native.print
local globals, concat, error, rawget, select, sub, tostring, type =
   _G, table.concat, error, rawget, select, string.sub, tostring, type

-- A host without it has a console of its own.
if not write then
   return
end

function globals.print(...)
   local parts = {}
   for index = 1, select("#", ...) do
      local text = tostring((select(index, ...)))
      if type(text) ~= "string" then
         error(host.where() .. "'tostring' must return a string to 'print'", 0)
      end
      parts[index] = text
   end
   write(concat(parts, "\t"))
end

if not rawget(globals, "warn") then
   return
end

local is_on = false

function globals.warn(...)
   local count, parts = select("#", ...), { ... }
   for index = 1, count > 0 and count or 1 do
      parts[index] = host.check_bytes(parts[index], index)
   end
   if count == 1 and sub(parts[1], 1, 1) == "@" then
      if parts[1] == "@on" or parts[1] == "@off" then
         is_on = parts[1] == "@on"
      end
   elseif is_on then
      write("Lua warning: " .. concat(parts))
   end
end
