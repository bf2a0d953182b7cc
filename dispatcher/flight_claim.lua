-- Says who runs a check: whoever asks first leads, the others are put down as followers of that flight.
--
-- A flight is a hash: "leader" -> the name of a call, and per follower its name -> a sealed request for the outcome. It
-- expires unless its leader claims it again, as do the followers, who thereby take the lead when the leader has died.
--
-- KEYS: the flight. ARGV: name of the call that asks, its sealed request, milliseconds for which the flight lasts.
-- Returns 1: the call leads, 0: it follows.
local leads = redis.pcall("HSETNX", KEYS[1], "leader", ARGV[1])
if type(leads) == "table" then
   -- A key of another type: none of us has written it.
   redis.call("DEL", KEYS[1])
   leads = redis.call("HSETNX", KEYS[1], "leader", ARGV[1])
end
if leads == 1 or redis.call("HGET", KEYS[1], "leader") == ARGV[1] then
   redis.call("PEXPIRE", KEYS[1], ARGV[3])
   return 1
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
local left_ms = redis.call("PTTL", KEYS[1])
if left_ms < 0 or left_ms > tonumber(ARGV[3]) then
   -- Not ours either: no check waits for ever.
   redis.call("PEXPIRE", KEYS[1], ARGV[3])
end
return 0
