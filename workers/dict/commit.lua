-- Carries out a transaction: checks everything first, then writes, so that a failure leaves nothing half-written.
--
-- KEYS: every name that is read or written, each once; the index and the token's bitmap among them.
-- ARGV: place in KEYS of the index (0: none); place of the token's bitmap (0: none), bit in it, its expiry in seconds;
-- expiry of what is written in seconds (0: none); bytes of the prefix, which the index leaves out;
-- number of conditions, then for each: place in KEYS, number of values (-1: must not exist), values;
-- then the changes, three words each: "set", "unset", "inc" or "create" (inc from 0), place in KEYS, value or "".
-- Returns {"OK"}, {"MISSING", place}, {"CHANGED", place} or {"NOT_INTEGER", place}; places are those in KEYS.
-- Nothing here is random, and only declared keys are touched.

local taken = 0
local function take()
    taken = taken + 1
    return ARGV[taken]
end

local index = KEYS[tonumber(take())]
local token, token_bit, token_expire_s = KEYS[tonumber(take())], take(), take()
local expire_s = take()
local has_expiry = expire_s ~= "0"
local prefix_length = tonumber(take())

-- It was carried out before, and only the answer was lost.
if token and redis.call("GETBIT", token, token_bit) == 1 then
    return { "OK" }
end

local function current_values(key)
    local kind = redis.call("TYPE", key).ok
    if kind == "none" then
        return {}, -1
    end
    if kind == "string" then
        return { redis.call("GET", key) }, 1
    end
    if kind == "list" then
        local values = redis.call("LRANGE", key, 0, -1)
        return values, #values
    end
    return {}, -2
end

local function holds(key, count)
    local values, current_count = current_values(key)
    local is_same = current_count == count
    for place = 1, count do
        is_same = take() == values[place] and is_same
    end
    return is_same
end

for _ = 1, tonumber(take()) do
    local place, count = take(), tonumber(take())
    if not holds(KEYS[tonumber(place)], count) then
        return { "CHANGED", place }
    end
end

-- Sums of 64-bit integers, which Lua 5.1's numbers cannot hold: in two parts of nine and up to ten digits.
local BASE = 1000000000
local MAX_HIGH, MAX_LOW = 9223372036, 854775807

local function parts(text)
    local sign, digits = string.match(text, "^(%-?)([1-9]%d*)$")
    if text == "0" then
        return 0, 0
    end
    if not digits or #digits > 19 then
        return nil
    end
    local high = tonumber(string.sub(digits, 1, -10)) or 0
    local low = tonumber(string.sub(digits, -9))
    if sign == "-" then
        return -high, -low
    end
    return high, low
end

local function is_in_range(high, low)
    local least_low = MAX_LOW + (high < 0 and 1 or 0)
    high, low = math.abs(high), math.abs(low)
    return high < MAX_HIGH or (high == MAX_HIGH and low <= least_low)
end

-- Brings both parts to one sign, each below its base.
local function normalised(high, low)
    if low >= BASE or (high < 0 and low > 0) then
        high, low = high + 1, low - BASE
    elseif low <= -BASE or (high > 0 and low < 0) then
        high, low = high - 1, low + BASE
    end
    if high > 0 and low < 0 then
        high, low = high - 1, low + BASE
    elseif high < 0 and low > 0 then
        high, low = high + 1, low - BASE
    end
    return high, low
end

local function text_of(high, low)
    if high == 0 then
        return string.format("%d", low)
    end
    local sign = high < 0 and "-" or ""
    return string.format("%s%.0f%09d", sign, math.abs(high), math.abs(low))
end

-- Returns the sum as text; nil if a part is no 64-bit integer, or the sum is none.
local function sum(text, difference)
    local high, low = parts(text)
    local more_high, more_low = parts(difference)
    if not high or not more_high or not is_in_range(high, low) then
        return nil
    end
    high, low = normalised(high + more_high, low + more_low)
    return is_in_range(high, low) and text_of(high, low) or nil
end

local function set(key, value)
    if has_expiry then
        redis.call("SET", key, value, "EX", expire_s)
    else
        redis.call("SET", key, value)
    end
end

local function increment(key, difference)
    redis.call("INCRBY", key, difference)
    if has_expiry then
        redis.call("EXPIRE", key, expire_s)
    end
end

-- Commands that a user with few permissions may lack; one that fails in the middle would leave half a transaction.
local function require_permission(...)
    if redis.acl_check_cmd and not redis.acl_check_cmd(...) then
        local command = string.lower((...))
        error(redis.error_reply("NOPERM this user has no permissions to run the '" .. command .. "' command"))
    end
end

local function require_all(key, kinds)
    if kinds.set then
        require_permission("SET", key, "")
    end
    if kinds.unset then
        require_permission("DEL", key)
    end
    if kinds.inc or kinds.create then
        require_permission("INCRBY", key, "1")
    end
    if has_expiry then
        require_permission("EXPIRE", key, "1")
    end
    if index then
        require_permission("ZADD", index, "0", "")
        require_permission("ZREM", index, "")
    end
    if token then
        require_permission("SETBIT", token, "0", "1")
        require_permission("EXPIRE", token, "1")
    end
end

-- What a name would hold, as far as increments need to know: text, or false for nothing.
local will_hold = {}

local function value_before(place)
    if will_hold[place] ~= nil then
        return will_hold[place]
    end
    local values, count = current_values(KEYS[place])
    if count == -1 then
        return false
    end
    return count == 1 and redis.call("TYPE", KEYS[place]).ok == "string" and values[1] or ""
end

local first_change = taken + 1
local kinds = {}
for at = first_change, #ARGV, 3 do
    local kind, place = ARGV[at], tonumber(ARGV[at + 1])
    kinds[kind] = true
    if kind == "set" then
        will_hold[place] = ARGV[at + 2]
    elseif kind == "unset" then
        will_hold[place] = false
    else
        local before = value_before(place)
        if not before and kind == "inc" then
            return { "MISSING", tostring(place) }
        end
        local after = sum(before or "0", ARGV[at + 2])
        if not after then
            return { "NOT_INTEGER", tostring(place) }
        end
        will_hold[place] = after
    end
end
require_all(KEYS[tonumber(ARGV[first_change + 1])], kinds)

-- From here on nothing may fail. The first write is refused when the memory is full or the server is a replica;
-- the ones behind it are not.
if token then
    redis.call("SETBIT", token, token_bit, 1)
    redis.call("EXPIRE", token, token_expire_s)
end
for at = first_change, #ARGV, 3 do
    local kind, key = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
    if kind == "set" then
        set(key, ARGV[at + 2])
    elseif kind == "unset" then
        redis.call("DEL", key)
    else
        increment(key, ARGV[at + 2])
    end
    if index and kind == "unset" then
        redis.call("ZREM", index, string.sub(key, prefix_length + 1))
    elseif index then
        redis.call("ZADD", index, 0, string.sub(key, prefix_length + 1))
    end
end
return { "OK" }
