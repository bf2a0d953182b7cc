-- Puts a job that was moved and not begun back to the front of its queue, if nobody else took it over meanwhile.
--
-- KEYS: the intermediate list, the queue. ARGV: the job id. Returns 1 if it was put back, 0 if it was no longer there.
-- Whoever removes an id from the intermediate list owns the job: a worker that begins it, or this.
if redis.call("LREM", KEYS[1], 1, ARGV[1]) == 0 then
   return 0
end
redis.call("LPUSH", KEYS[2], ARGV[1])
return 1
