-- Appends outcomes to a reply stream, unless the worker's lease was claimed (workers/lease.py): then they are of calls
-- that another worker has been given.
--
-- KEYS: the lease, the stream. ARGV: the field of an entry, seconds until the stream expires, the entries.
if redis.call("GET", KEYS[1]) == "claimed" then
   return redis.error_reply("FENCED the lease of this worker was claimed")
end
for index = 3, #ARGV do
   redis.call("XADD", KEYS[2], "*", ARGV[1], ARGV[index])
end
-- Every time: a dispatcher that left has deleted its stream, and this write may have made it anew.
redis.call("EXPIRE", KEYS[2], ARGV[2])
return #ARGV - 2
