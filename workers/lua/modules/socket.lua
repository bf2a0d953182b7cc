-- socket: the part of LuaSocket that a hosted script can have; there are no raw sockets.
--
-- gettime() -> seconds since the epoch, with fraction · sleep(seconds) -> nothing; other calls go on meanwhile
-- skip(n, ...) -> the values after the first n · newtry(finalizer) -> try · try(...) · protect(f) -> f that returns
--    nil, message for what try() raised
-- _VERSION. Everything else raises: "socket.tcp is not available in lualoft: use socket.http or ssl.https".
--
-- Mirrors: LuaSocket 3.1 (names and results).

local host = ...
local await, native = host.await, host.native

local error, getmetatable, pcall, rawget, select, setmetatable, time, tonumber, type =
   error, getmetatable, pcall, rawget, select, setmetatable, os.time, tonumber, type

local MICROSECONDS = 1000000

local socket = { _VERSION = "LuaSocket 3.1.0 (lualoft)" }

function socket.gettime()
   return native.microseconds and native.microseconds() / MICROSECONDS or time() + 0.0
end

function socket.sleep(seconds)
   local number = tonumber(seconds)
   if not number then
      error("bad argument #1 to 'sleep' (number expected, got " .. type(seconds) .. ")", 2)
   end
   if number > 0 then
      await("sleep", number)
   end
end

function socket.skip(count, ...)
   return select(count + 1, ...)
end

------------------------------------------------------------------------------------------------------------
-- Exceptions that protect() turns into results

local Raised = {}

function socket.newtry(finalizer)
   return function(...)
      if not ... then
         if type(finalizer) == "function" then
            pcall(finalizer)
         end
         error(setmetatable({ message = (select(2, ...)) }, Raised), 0)
      end
      return ...
   end
end

socket.try = socket.newtry()

local function result_of(ok, ...)
   if ok then
      return ...
   end
   local raised = ...
   if getmetatable(raised) == Raised then
      return nil, raised.message
   end
   error(raised, 0)
end

function socket.protect(fn)
   return function(...)
      return result_of(pcall(fn, ...))
   end
end

------------------------------------------------------------------------------------------------------------
-- What there is not

local function refusal(name)
   return "socket." .. name .. " is not available in lualoft: use socket.http or ssl.https"
end

-- Calling it or looking into it (socket.dns.toip) raises; testing for it does not.
local function unavailable(name)
   local function refuse()
      error(refusal(name), 2)
   end
   return setmetatable({}, { __call = refuse, __index = refuse })
end

local NAMES = {
   "bind", "choose", "connect", "connect4", "connect6", "dns", "select", "sink", "source", "tcp", "tcp4", "tcp6", "udp",
   "udp4", "udp6", "unix", "headers",
}
for _, name in ipairs(NAMES) do
   socket[name] = rawget(socket, name) or unavailable(name)
end

return socket
