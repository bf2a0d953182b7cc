-- bit32: operations on numbers as 32 unsigned bits. Lua 5.2 has its own, which `require` finds first.
--
-- band(...) bor(...) bxor(...) bnot(x) btest(...) -> number or boolean; without arguments all bits, 0, 0
-- lshift(x, n) rshift(x, n) arshift(x, n) lrotate(x, n) rrotate(x, n): a negative n goes the other way
-- extract(x, field [, width]) · replace(x, value, field [, width]): width is 1 unless given
-- Arguments are taken modulo 2^32. Raises "trying to access non-existent bits", "field cannot be negative", ...
--
-- Mirrors: bit32 of Lua 5.2, from its manual.

local host = ...

local error, find, floor, format, select, tonumber, type =
   error, string.find, math.floor, string.format, select, tonumber, type
local compile = host.compile_text or load

local BITS = 32
local MODULUS = 2 ^ BITS
local ALL = floor(MODULUS - 1)

------------------------------------------------------------------------------------------------------------
-- Two-argument operations: the machine's where Lua has them, else four bits at a time

local function from_operator(operator)
   local chunk, message = compile("return function(a, b) return a " .. operator .. " b end", "=bit32")
   if not chunk and find(message, "not enough memory", 1, true) then
      error(message, 0)
   end
   return chunk and chunk()
end

local function from_library(name)
   local operation = type(bit) == "table" and bit[name]
   return operation and function(a, b)
      return operation(a, b) % MODULUS
   end
end

-- Results of all pairs of four-bit numbers, from a rule for single bits.
local function from_rule(rule)
   local results = {}
   for a = 0, 15 do
      for b = 0, 15 do
         local value = 0
         for place = 0, 3 do
            local a_bit, b_bit = floor(a / 2 ^ place) % 2, floor(b / 2 ^ place) % 2
            value = value + (rule(a_bit, b_bit) and 2 ^ place or 0)
         end
         results[a * 16 + b] = value
      end
   end
   return function(a, b)
      local value, factor = 0, 1
      for _ = 1, BITS / 4 do
         local a_low, b_low = a % 16, b % 16
         value = value + results[a_low * 16 + b_low] * factor
         a, b, factor = (a - a_low) / 16, (b - b_low) / 16, factor * 16
      end
      return value
   end
end

-- Lua 5.1 reports the operator as a syntax error: compile() returns nil.
local and_pair = from_library("band") or from_operator("&") or from_rule(function(a, b)
   return a + b == 2
end)
local or_pair = from_library("bor") or from_operator("|") or from_rule(function(a, b)
   return a + b > 0
end)
local xor_pair = from_library("bxor") or from_operator("~") or from_rule(function(a, b)
   return a ~= b
end)

------------------------------------------------------------------------------------------------------------
-- Arguments

-- `level` is the caller to blame, counted from here.
local function unsigned(value, index, name, level)
   local number = tonumber(value)
   if not number or type(value) ~= "number" and type(value) ~= "string" then
      local kind = value == nil and "no value" or type(value)
      error(format("bad argument #%d to '%s' (number expected, got %s)", index, name, kind), level or 3)
   end
   return floor(number) % floor(MODULUS)
end

local function signed(value, index, name, level)
   local number = unsigned(value, index, name, level or 4)
   return tonumber(value) < 0 and floor(tonumber(value)) or number
end

local function folded(name, start, operation)
   return function(...)
      local result = start
      for index = 1, select("#", ...) do
         result = operation(result, unsigned((select(index, ...)), index, name))
      end
      return floor(result)
   end
end

local bit32 = {
   band = folded("band", ALL, and_pair),
   bor = folded("bor", 0, or_pair),
   bxor = folded("bxor", 0, xor_pair),
}

function bit32.btest(...)
   return bit32.band(...) ~= 0
end

function bit32.bnot(x)
   return ALL - unsigned(x, 1, "bnot")
end

------------------------------------------------------------------------------------------------------------
-- Shifts

-- Left for a positive count, right for a negative one; bits that leave are lost.
local function shifted(x, count)
   if count >= BITS or count <= -BITS then
      return 0
   elseif count >= 0 then
      local kept = x % floor(2 ^ (BITS - count))
      return floor(kept * floor(2 ^ count))
   end
   return floor(x / 2 ^ -count)
end

local function rotated(x, count)
   count = count % BITS
   return floor(shifted(x, count) + shifted(x, count - BITS))
end

function bit32.lshift(x, n)
   return shifted(unsigned(x, 1, "lshift"), signed(n, 2, "lshift"))
end

function bit32.rshift(x, n)
   return shifted(unsigned(x, 1, "rshift"), -signed(n, 2, "rshift"))
end

function bit32.arshift(x, n)
   x, n = unsigned(x, 1, "arshift"), signed(n, 2, "arshift")
   local is_negative = x >= MODULUS / 2
   if n < 0 or not is_negative then
      return shifted(x, -n)
   elseif n >= BITS then
      return ALL
   end
   return shifted(x, -n) + ALL - shifted(ALL, -n)
end

function bit32.lrotate(x, n)
   return rotated(unsigned(x, 1, "lrotate"), signed(n, 2, "lrotate"))
end

function bit32.rrotate(x, n)
   return rotated(unsigned(x, 1, "rrotate"), -signed(n, 2, "rrotate"))
end

------------------------------------------------------------------------------------------------------------
-- Fields

-- Returns the field's first bit and the number of values it can hold.
local function checked_field(field, width, index, name)
   field, width = signed(field, index, name, 5), signed(width == nil and 1 or width, index + 1, name, 5)
   if field < 0 then
      error(format("bad argument #%d to '%s' (field cannot be negative)", index, name), 3)
   elseif width < 1 then
      error(format("bad argument #%d to '%s' (width must be positive)", index + 1, name), 3)
   elseif field + width > BITS then
      error("trying to access non-existent bits", 3)
   end
   return field, floor(2 ^ width)
end

function bit32.extract(x, field, width)
   x = unsigned(x, 1, "extract")
   local first, values = checked_field(field, width, 2, "extract")
   return shifted(x, -first) % values
end

function bit32.replace(x, value, field, width)
   x, value = unsigned(x, 1, "replace"), unsigned(value, 2, "replace")
   local first, values = checked_field(field, width, 3, "replace")
   local old = shifted(x, -first) % values
   return x + shifted(value % values, first) - shifted(old, first)
end

return bit32
