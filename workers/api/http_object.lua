-- The three objects of dovecot.http: plain tables without a metatable, their methods fields of each instance.
--
-- http_client.lua, http_request.lua and http_response.lua each make one kind. The raw field `item` is an opaque handle;
-- the record behind an object is found by it, so a forged item reaches nothing. Mirrors dlua-dovecot-http.c (2.3, 2.4).

local host = ...
local new_handle = host.new_handle
local error, format, getmetatable, next, pcall, rawget, setmetatable, type =
   error, string.format, getmetatable, next, pcall, rawget, setmetatable, type
local newproxy = rawget(_G, "newproxy")

-- Makes a kind of object. Returns two functions:
--    new(record[, handle]): an object for the record
--    record_at(value, index): the record behind argument `index` of an API function; raises class A for anything else
-- `methods` is complete only when the first object is made.
function host.http_kind(name, methods)
   local records = setmetatable({}, { __mode = "k" })
   host.method_tables[#host.method_tables + 1] = methods

   local function new(record, handle)
      local object = { item = handle or new_handle() }
      for key, method in next, methods do
         object[key] = method
      end
      records[object.item] = record
      return object
   end

   local function record_at(value, index)
      local record = type(value) == "table" and records[rawget(value, "item")]
      if not record then
         error(format("Bad argument #%d, expected %s got %s", index, name, type(value)), 0)
      end
      return record
   end

   return new, record_at
end

-- A handle whose end calls `close(owned.id)`, which must not raise; the state may be closing by then. It is made before
-- what it closes, as memory may end in between.
function host.new_closing_handle(close, owned)
   local function finaliser()
      if owned.id then
         pcall(close, owned.id)
      end
   end
   if newproxy then
      local handle = newproxy(true)
      local metatable = getmetatable(handle)
      metatable.__gc, metatable.__metatable = finaliser, false
      return handle
   end
   return setmetatable({}, {
      __gc = finaliser,
      __metatable = false,
      __name = "userdata",
      __newindex = function()
         error("attempt to index a userdata value (field 'item')", 0)
      end,
   })
end
