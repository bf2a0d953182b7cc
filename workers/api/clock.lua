-- dovecot.gettimeofday, nanoseconds, microseconds(): the wall clock.
--
-- Arguments are neither checked nor counted. gettimeofday returns {tv_sec = int, tv_usec = int}, the others an integer
-- since the epoch. Since 2.4.0. Lua 5.1 and LuaJIT hold 53 bits of it, in Dovecot too.

local host = ...
local made, native = host.made, host.native
local microseconds, nanoseconds, time_of_day = native.microseconds, native.nanoseconds, native.time_of_day

function made.gettimeofday()
   local seconds, fraction_us = time_of_day()
   return { tv_sec = seconds, tv_usec = fraction_us }
end

function made.nanoseconds()
   return (nanoseconds())
end

function made.microseconds()
   return (microseconds())
end
