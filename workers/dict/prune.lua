-- Takes names out of the index that do not exist any more because they expired; looks again, as they may be back.
--
-- KEYS: the index, then the names. ARGV: bytes of the prefix, which the index leaves out.
-- Returns how many were taken out.

local prefix_length = tonumber(ARGV[1])
local removed_count = 0
for place = 2, #KEYS do
    local key = KEYS[place]
    if redis.call("EXISTS", key) == 0 then
        removed_count = removed_count + redis.call("ZREM", KEYS[1], string.sub(key, prefix_length + 1))
    end
end
return removed_count
