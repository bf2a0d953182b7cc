-- coroutines: the library `coroutine`, in which operations pass through coroutines that the script made itself.
--
-- Dovecot's waiting calls fail there (`lua TLS table for thread … is not a table`); here the operation travels up
-- through every resume to the engine and its results travel down again. To the script a coroutine that waits is
-- "normal": it can be neither resumed nor closed. Mirrors lcorolib.c of each Lua version, its texts included.

local host = ...
local raw, coroutine = host.raw, rawget(_G, "coroutine")
local create_raw, resume_raw, yield_raw, status_raw, running_raw, close_raw, isyieldable =
   raw.create, raw.resume, raw.yield, raw.status, raw.running, raw.close, raw.isyieldable
local error, rawequal, select, setmetatable, type = error, rawequal, select, setmetatable, type
local PARK, REFUSE, SLICE, nesting = host.PARK, host.REFUSE, host.SLICE, host.nesting
local arm, was_preempted = host.native.arm, host.native.was_preempted

-- Nested resumes: Lua 5.1 and LuaJIT do not count them and would run out of C stack. Below Lua's own limit of 200.
local MAX_DEPTH = 190

-- Coroutines that the script made; the others are the host's own, and a raw yield in them would never be answered.
local made = setmetatable({}, { __mode = "k" })
host.made_coroutines = made

-- Coroutines whose operation the engine is running.
local waiting = setmetatable({}, { __mode = "k" })

-- Is it the engine's to resume? So are the host's own: a call that got hold of another one's would take its results.
-- Those that C modules make look like the host's.
local is_of_engine = host.native.c_modules and function(co)
   return waiting[co]
end or function(co)
   return waiting[co] or not made[co]
end

local enter

local function go_on(co, ...)
   waiting[co] = nil
   return enter(co, ...)
end

-- The end of a time slice in `co`: up to the engine, and on when its turn comes; at once where Lua cannot yield.
local function give_way(co)
   if not isyieldable() then
      return enter(co)
   end
   waiting[co] = true
   return go_on(co, yield_raw(PARK, SLICE))
end

local function leave(co, ok, ...)
   nesting.depth = nesting.depth - 1
   if ok and was_preempted and select("#", ...) == 0 and status_raw(co) == "suspended" and was_preempted() then
      return give_way(co)
   end
   if not ok or not rawequal((...), PARK) then
      return ok, ...
   end
   if isyieldable and not isyieldable() then
      return enter(co, REFUSE, "attempt to yield across a C-call boundary")
   end
   waiting[co] = true
   return go_on(co, yield_raw(...))
end

-- Resumes `co` until it returns, fails or yields to the script; returns what coroutine.resume would.
function enter(co, ...)
   if nesting.depth >= MAX_DEPTH then
      return false, "C stack overflow"
   end
   nesting.depth = nesting.depth + 1
   return leave(co, resume_raw(co, ...))
end
host.enter_coroutine = enter

local function check_coroutine(co)
   if type(co) ~= "thread" then
      host.bad_argument(1, "coroutine expected")
   end
end

-- Makes the script's coroutines where time slices exist: what is made inside an armed coroutine is armed too.
local make = create_raw
if arm then
   local maker

   local function new_maker()
      local new = create_raw(function(fn)
         while true do
            fn = yield_raw(create_raw(fn))
         end
      end)
      arm(host.address_of(new))
      return new
   end

   function make(fn)
      maker = maker or new_maker()
      local ok, co = resume_raw(maker, fn)
      if not ok then
         -- There was no memory, and it is dead.
         maker = nil
         error(co, 0)
      end
      return co
   end
end

local function create(fn)
   if type(fn) ~= "function" then
      host.bad_argument(1, "function expected")
   end
   local co = make(fn)
   made[co] = true
   return co
end

coroutine.create = create

function coroutine.resume(co, ...)
   check_coroutine(co)
   if is_of_engine(co) then
      return false, "cannot resume non-suspended coroutine"
   end
   return enter(co, ...)
end

function coroutine.yield(...)
   local co = running_raw()
   if co and not made[co] then
      error("attempt to yield from outside a coroutine", 0)
   end
   return yield_raw(...)
end

function coroutine.status(co)
   check_coroutine(co)
   local status = status_raw(co)
   return status == "suspended" and is_of_engine(co) and "normal" or status
end

if close_raw then
   function coroutine.close(co)
      check_coroutine(co)
      if is_of_engine(co) and status_raw(co) == "suspended" then
         error(host.where() .. "cannot close a normal coroutine", 0)
      end
      return close_raw(co)
   end
end

-- Lua 5.4 closes the failed coroutine, which may put another error in place of the first.
local function error_of(co, object)
   if close_raw and status_raw(co) == "dead" then
      local ok, closing_error = close_raw(co)
      if not ok then
         object = closing_error
      end
   end
   if type(object) == "string" then
      return host.where() .. object
   end
   return object
end

-- Two steps, so that the wrapper's own frame is still there when the position of its caller is asked for.
local function raised(co, ok, ...)
   if ok then
      return ok, ...
   end
   error(error_of(co, (...)), 0)
end

local function results(_, ...)
   return ...
end

function coroutine.wrap(fn)
   local co = create(fn)
   return function(...)
      if waiting[co] then
         error(host.where() .. "cannot resume non-suspended coroutine", 0)
      end
      return results(raised(co, enter(co, ...)))
   end
end
