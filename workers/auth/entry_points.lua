-- Calls a script's auth functions and brings what they return into a shape that Python reads without touching a table.
--
-- workers/auth/task.py calls the exports. A step that is DONE carries (code, kind, text): `code` is the integer, or
-- nil and `kind` then the type that came instead. `kind` is the type of the second value; `text` the string, or the
-- pairs of a table as key NUL value NUL …, values after conversion. Keys that no field can have are warned about and
-- left out.
-- Mirrors auth_lua_export_table and its siblings in db-lua.c (2.3.19 and 2.4), with section 9's answer to its crashes.

local host = ...
local start, resume, c_text = host.start, host.resume, host.check_string
local new_auth_request = host.new_auth_request
local DONE, PARKED = host.DONE, host.PARKED
local concat, find, floor, format, next, setmetatable, sort, sub, tonumber, type =
   table.concat, string.find, math.floor, string.format, next, setmetatable, table.sort, string.sub, tonumber, type
local tointeger, huge = math.tointeger, math.huge
local is_24 = host.native.auth_dialect ~= "2.3"

-- Coroutine -> how its results are shaped and the request's record, while the call waits.
local waiting = setmetatable({}, { __mode = "k" })

-- lua_tointeger of Lua 5.3 on: 0 for what has no exact integer. Earlier versions would cut the fraction off.
local function integer_of(number)
   if tointeger then
      return tointeger(number) or 0
   end
   if number == floor(number) and number > -huge and number < 2 ^ 63 and number >= -2 ^ 63 then
      return number
   end
   return 0
end

-- 2.3 writes it unsigned: a negative one is taken from 2^64 = 18446744073,709551616, in two parts that doubles hold.
local function integer_text(integer)
   local text = format("%d", integer)
   if is_24 or integer >= 0 then
      return text
   end
   local high = 18446744073 - (tonumber(sub(text, 2, -10)) or 0)
   local low = 709551616 - tonumber(sub(text, #text > 10 and -9 or 2))
   if low < 0 then
      high, low = high - 1, low + 1000000000
   end
   return format("%.0f%09.0f", high, low)
end

local function c_string(text)
   local nul = find(text, "\0", 1, true)
   return nul and sub(text, 1, nul - 1) or text
end

------------------------------------------------------------------------------------------------------------
-- Tables

-- Is it a key that a field may have? Warns if not.
local function checked_key(record, key)
   if type(key) ~= "string" then
      host.auth_warn(record, "db-lua: Field key cannot be a " .. type(key) .. " - ignoring")
      return
   end
   key = c_string(key)
   if key == "" then
      host.auth_warn(record, "db-lua: Field key cannot be empty - ignoring")
   elseif find(key, "[\t\n\r]") then
      host.auth_warn(record, "db-lua: Field key cannot contain <CR>, <LF> or <TAB> - ignoring")
   else
      return key
   end
end

local function field_text(record, key, value)
   local kind = type(value)
   if kind == "string" then
      return c_string(value)
   elseif kind == "number" then
      return integer_text(integer_of(value))
   elseif kind == "boolean" then
      return value and "yes" or "no"
   end
   -- "no value" whatever it is: that wording is upstream's. 2.3 says that it ignores the field and sets it to "".
   host.auth_warn(record, "db-lua: '" .. key .. "' has invalid value type no value - ignoring")
   return not is_24 and "" or nil
end

local function packed(record, fields)
   local parts, count = {}, 0
   for key, value in next, fields do
      local name = checked_key(record, key)
      local text = name and field_text(record, name, value)
      if text then
         parts[count + 1], parts[count + 2] = name, text
         count = count + 2
      end
   end
   return concat(parts, "\0")
end

------------------------------------------------------------------------------------------------------------
-- Shapes

local function shape_lookup(record, code, second)
   local number = (type(code) == "number" or type(code) == "string") and tonumber(code)
   if not number then
      return DONE, nil, type(code)
   end
   code = integer_of(number)
   local kind = type(second)
   if kind == "string" or kind == "number" then
      return DONE, code, kind, c_text(second, 1)
   elseif kind == "table" and code == 1 then
      return DONE, code, kind, packed(record, second)
   end
   return DONE, code, kind
end

local function shape_cache_key(_, key)
   if type(key) == "string" or type(key) == "number" then
      return DONE, 0, type(key), c_text(key, 1)
   end
   return DONE, nil, type(key)
end

-- The names, and whether they stand at the keys 1 to n; nil where a value is no name.
local function names_in(users)
   local names, count, is_sequence = {}, 0, true
   for key, name in next, users do
      if type(name) ~= "string" and type(name) ~= "number" then
         return nil
      end
      count = count + 1
      names[count] = c_text(name, 1)
      is_sequence = is_sequence and key == count
   end
   return names, is_sequence
end

-- A page of the users: from the name number `page.first` on, as many as fit into `page.limit_bytes`, at least one.
-- Returns (count, number of the next name or 0, names). Each page calls the script anew, perhaps in another worker, so
-- names in no order of their own are sorted: Lua's differs from state to state.
local function shape_users(page, users)
   if type(users) ~= "table" then
      return DONE, nil, "Cannot iterate, return value is not table"
   end
   local names, is_sequence = names_in(users)
   if not names then
      return DONE, nil, "Value is not string"
   end
   if not is_sequence then
      sort(names)
   end
   local last, left_bytes = page.first - 1, page.limit_bytes
   while names[last + 1] and (left_bytes > 0 or last < page.first) do
      last = last + 1
      left_bytes = left_bytes - #names[last] - page.overhead_bytes
   end
   return DONE, last - page.first + 1, names[last + 1] and last + 1 or 0, concat(names, "\0", page.first, last)
end

-- A step of the call goes on in here: parked ones are noted, results are shaped.
local function shaped(record, shape, kind, first, ...)
   if kind == PARKED then
      waiting[first] = { record = record, shape = shape }
      return kind, first, ...
   elseif kind ~= DONE then
      return kind, first, ...
   end
   return shape(record, ...)
end

------------------------------------------------------------------------------------------------------------
-- Exports

-- A function of the script with a request, and with the password if it takes one; to a request it is a variable.
function host.exports.auth_start(name, given, password, takes_password)
   given.password = password
   local request, record = new_auth_request(given)
   if takes_password then
      return shaped(record, shape_lookup, start(name, request, password))
   end
   return shaped(record, shape_lookup, start(name, request))
end

-- auth_userdb_iterate(), which takes no argument.
function host.exports.auth_iterate(name, first, limit_bytes, overhead_bytes)
   local page = { first = first, limit_bytes = limit_bytes, overhead_bytes = overhead_bytes }
   return shaped(page, shape_users, start(name))
end

-- auth_passdb_get_cache_key(), auth_userdb_get_cache_key()
function host.exports.auth_cache_key(name)
   return shaped({}, shape_cache_key, start(name))
end

function host.exports.auth_resume(co, ...)
   local place = waiting[co]
   waiting[co] = nil
   return shaped(place.record, place.shape, resume(co, ...))
end
