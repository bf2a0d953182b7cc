-- show(...): results as one text that tests can compare: strings quoted, floats with a point, tables sorted by key.
-- same(...): its arguments; keeps a call from being a tail call, which has no position in errors.
-- attempt(text): runs Lua text; its results shown, or "!" and the error.

local math_type = math.type or function() return "integer" end

local show_value

local function show_string(text)
   return '"' .. text:gsub('[%c\127-\255"\\]', function(c) return ("\\%d"):format(c:byte()) end) .. '"'
end

local function show_number(number)
   if number ~= number then
      return "nan"
   elseif number == 1 / 0 or number == -1 / 0 then
      return number > 0 and "inf" or "-inf"
   elseif math_type(number) == "integer" and number == math.floor(number) then
      return ("%d"):format(number)
   end
   local text = ("%.17g"):format(number)
   for precision = 15, 16 do
      local short = ("%." .. precision .. "g"):format(number)
      if tonumber(short) == number then
         text = short
         break
      end
   end
   return text:find("[.e]") and text or text .. ".0"
end

local function show_table(value)
   local parts, length = {}, #value
   for index = 1, length do
      parts[index] = show_value(value[index])
   end
   local keys = {}
   for key in pairs(value) do
      if not (type(key) == "number" and key >= 1 and key <= length and key % 1 == 0) then
         keys[#keys + 1] = key
      end
   end
   table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
   for _, key in ipairs(keys) do
      local name = type(key) == "string" and key or "[" .. show_value(key) .. "]"
      parts[#parts + 1] = name .. "=" .. show_value(value[key])
   end
   return "{" .. table.concat(parts, ", ") .. "}"
end

function show_value(value)
   local kind = type(value)
   if kind == "string" then
      return show_string(value)
   elseif kind == "number" then
      return show_number(value)
   elseif kind == "table" then
      return show_table(value)
   elseif kind == "nil" or kind == "boolean" then
      return tostring(value)
   end
   return kind
end

function show(...)
   local parts = {}
   for index = 1, select("#", ...) do
      parts[index] = show_value((select(index, ...)))
   end
   return table.concat(parts, " ")
end

function same(...)
   return ...
end

local function shown(ok, ...)
   if ok then
      return show(...)
   end
   return "!" .. tostring((...))
end

function attempt(text)
   local chunk, message = (loadstring or load)(text, "=t")
   if not chunk then
      return "does not compile: " .. message
   end
   return shown(pcall(chunk))
end
