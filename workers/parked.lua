-- Reads the hash of parked scripts (workers/parked_share.py), if it can be one that workers wrote.
--
-- KEYS: the hash. ARGV: the most fields, the most bytes of a field or a value. Returns fields and values in turn; or
-- nothing, and the hash is gone: somebody else has filled it, and every worker would read all of it every second.
local key, most_fields, most_bytes = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call("HLEN", key) > most_fields then
   redis.call("DEL", key)
   return false
end
local found = redis.call("HGETALL", key)
for _, text in ipairs(found) do
   if #text > most_bytes then
      redis.call("DEL", key)
      return false
   end
end
return found
