-- Takes a job out of the intermediate list for good and notes that its chunk was opened; both or nothing.
--
-- KEYS: the intermediate list, the bitmap of opened chunks. ARGV: the job id, the chunk's bit, seconds for which the
-- bitmap is needed. Returns 0 if somebody else put the job back meanwhile, 1 if it is ours, 2 if the same chunk was
-- opened before: somebody put it back.
if redis.call("LREM", KEYS[1], 1, ARGV[1]) == 0 then
   return 0
end
local was_open = redis.pcall("SETBIT", KEYS[2], ARGV[2], 1)
if type(was_open) == "table" then
   if not string.find(was_open.err, "^WRONGTYPE") then
      return was_open
   end
   -- Nobody of ours wrote it. What it hid is not known; the worker's own memory still is.
   redis.call("DEL", KEYS[2])
   was_open = redis.call("SETBIT", KEYS[2], ARGV[2], 1)
end
if was_open == 1 then
   return 2
end
if redis.call("TTL", KEYS[2]) < tonumber(ARGV[3]) then
   redis.call("EXPIRE", KEYS[2], ARGV[3])
end
return 1
