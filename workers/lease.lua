-- Renews or claims the lease of a worker (workers/lease.py).
--
-- KEYS: the lease. ARGV: `renew` or `claim`, milliseconds for which that holds. Returns 1 if it was done, 0 if not: a
-- claimed lease is not renewed, and one that is held or claimed is not claimed. An absent one is anybody's: Redis may
-- have lost its data.
local state = redis.call("GET", KEYS[1])
if ARGV[1] == "renew" and state ~= "claimed" then
   redis.call("SET", KEYS[1], "held", "PX", ARGV[2])
   return 1
end
if ARGV[1] == "claim" and not state then
   redis.call("SET", KEYS[1], "claimed", "PX", ARGV[2])
   return 1
end
return 0
