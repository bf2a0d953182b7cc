-- Counts a login against its limits: all of them allow it and it is counted, or one does not and nothing changes.
--
-- KEYS: one key per limit; it holds the time in microseconds at which the limit would be empty again (GCRA).
-- ARGV: per key the logins that the limit allows, and its window in microseconds.
-- Returns {0, 0}, or {number of the limit that is reached, milliseconds after which a login is allowed again}.
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local next_free = {}
for i, key in ipairs(KEYS) do
   local allowed, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
   local free = tonumber(redis.call("GET", key)) or now
   if not (free >= now and free <= now + window) then
      -- Long over; or nothing that this script wrote, which must not lock anybody out.
      free = now
   end
   free = free + window / allowed
   if free > now + window then
      return { i, math.ceil((free - now - window) / 1000) }
   end
   next_free[i] = free
end
for i, key in ipairs(KEYS) do
   redis.call("SET", key, string.format("%.0f", next_free[i]), "PX", math.ceil((next_free[i] - now) / 1000))
end
return { 0, 0 }
