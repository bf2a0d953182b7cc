-- Appends the outcome of a flight to the reply stream of a follower.
--
-- KEYS: the stream. ARGV: the field of an entry, the sealed outcome, seconds until the stream expires.
redis.call("XADD", KEYS[1], "*", ARGV[1], ARGV[2])
-- The dispatcher may have left and deleted its stream, which this write has made anew.
return redis.call("EXPIRE", KEYS[1], ARGV[3])
