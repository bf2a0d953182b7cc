-- Ends a flight, if it is still led by the call that says so.
--
-- KEYS: the flight. ARGV: name of the call, how many followers may be told.
-- Returns {follower, its request, …}; nothing when nobody is to be told. Followers that are told nothing claim again.
if redis.pcall("HGET", KEYS[1], "leader") ~= ARGV[1] then
   return {}
end
local followers = {}
local count = redis.call("HLEN", KEYS[1]) - 1
if count > 0 and count <= tonumber(ARGV[2]) then
   redis.call("HDEL", KEYS[1], "leader")
   followers = redis.call("HGETALL", KEYS[1])
end
redis.call("DEL", KEYS[1])
return followers
