-- calls: one coroutine per call; a slow operation parks it and Python resumes it later.
--
-- runtime.py calls start, start_main, resume and cancel; files of workers/api call host.await. Each step returns to
-- Python (DONE, count, values…), (FAILED, text), (NO_FUNCTION, 0) or (PARKED, coroutine, operation, arguments…).

local host = ...
local raw = host.raw
local create, resume_raw, status, yield, close = raw.create, raw.resume, raw.status, raw.yield, raw.close
local traceback, pcall = raw.traceback, raw.pcall
local error, rawequal, rawget, select, setmetatable, type, collectgarbage, tostring =
   error, rawequal, rawget, select, setmetatable, type, collectgarbage, tostring
local format = string.format
local running, ended, was_preempted = host.native.running, host.native.ended, host.native.was_preempted
local globals = _G
local is_restricted = host.native.profile == "restricted"
local DONE, FAILED, NO_FUNCTION, PARKED = host.DONE, host.FAILED, host.NO_FUNCTION, host.PARKED

-- A yield that carries this mark is an operation; any other yield is the script's own. Compared with rawequal only:
-- `==` would hand the mark to an __eq of the script.
local PARK = {}
host.PARK = PARK

-- A resume that carries this mark makes the operation raise instead of return.
local REFUSE = {}
host.REFUSE = REFUSE

-- pending.record is the passthrough event that nobody has logged yet (workers/api/passthrough.lua).
local pending = {}
host.pending = pending

-- Coroutines of the script's that are inside one another now (coroutines.lua), and the coroutine of the call that runs,
-- by which objects know whose they are. `entered` is the one that ran last: the watch may write to it until its step
-- has left Lua, so it must not be collected before, though its call may have ended. (A field, as Lua's collector marks
-- what is put into an upvalue at once, with all that the call holds.)
local nesting = { depth = 0, call = false, entered = false }
host.nesting = nesting

-- Call -> what is to be done at its end, in pairs of a function and its argument.
local endings = setmetatable({}, { __mode = "k" })

-- Has `fn(argument)` called when the running call has ended, however it ends. It must neither wait nor raise.
function host.at_call_end(fn, argument)
   local list = endings[nesting.call]
   if not list then
      list = { count = 0 }
      endings[nesting.call] = list
   end
   -- Counted last: where memory ends in between, there is no half of a pair.
   local count = list.count
   list[count + 1], list[count + 2] = fn, argument
   list.count = count + 2
end

local function end_call(co)
   -- What its stack holds is garbage from here on.
   nesting.call = false
   local list = endings[co]
   if list then
      endings[co] = nil
      for place = 1, list.count, 2 do
         list[place](list[place + 1])
      end
   end
end

------------------------------------------------------------------------------------------------------------
-- Time slices (workers/lua/time_slice.py)

-- The operation of a call that was interrupted: the engine resumes it, without any results, when its turn comes.
local SLICE = "slice"
host.SLICE = SLICE

-- Lets the coroutine that ran last be collected: what a failed call has on its stack goes with it.
local function let_go()
   if ended then
      ended()
   end
   nesting.entered = false
end

-- Interrupted call -> the passthrough event that it had begun.
local held_passthrough = setmetatable({}, { __mode = "k" })

-- The address of a coroutine as text that ends in 0x…; Lua 5.3 has no %p, and debugging.lua keeps its tostring honest.
local address_of = pcall(format, "%p", pending) and function(co)
   return format("%p", co)
end or tostring
host.address_of = address_of

local function enter(co)
   nesting.depth, nesting.call, nesting.entered = 0, co, co
   if running then
      running(address_of(co))
      local record = held_passthrough[co]
      if record then
         held_passthrough[co], pending.record = nil, record
      end
   end
end

local function interrupted(co)
   held_passthrough[co], pending.record = pending.record, nil
   return PARKED, co, SLICE
end

------------------------------------------------------------------------------------------------------------
-- Waiting

local function answer(...)
   if rawequal((...), REFUSE) then
      error((select(2, ...)), 0)
   end
   return ...
end

-- Hands the operation `name` to the engine and returns its results. Called by workers/api, never by scripts.
-- Raises Lua's own error where Lua cannot yield (inside string.gsub, a finaliser, on 5.1 a metamethod).
function host.await(name, ...)
   if pending.record then
      host.abort_passthrough()
   end
   return answer(yield(PARK, name, ...))
end

------------------------------------------------------------------------------------------------------------
-- Errors

-- What debug.traceback is at this moment; false where the script has put something else there than a function.
local function message_handler()
   if is_restricted then
      return traceback
   end
   local library = rawget(globals, "debug")
   local handler = type(library) == "table" and rawget(library, "traceback")
   return type(handler) == "function" and handler
end

-- Lua's tostring for strings and numbers; upstream prints a C NULL for everything else.
local function c_text(value)
   local kind = type(value)
   if kind == "string" or kind == "number" then
      return value .. ""
   end
   return "(null)"
end

-- The text of a failed call: the message handler's result if it gives one, else the error itself.
-- A handler of the script's own runs as a coroutine, because it may do anything, waiting included.
local function error_text(co, object)
   local handler = message_handler()
   if not handler then
      return c_text(object)
   end
   if handler == traceback then
      return c_text(traceback(co, object))
   end
   local handling = create(handler)
   local ok, text = resume_raw(handling, object)
   if ok and status(handling) == "dead" then
      return c_text(text)
   end
   return c_text(object)
end

-- To-be-closed variables of a call that ended early are closed, as leaving their block would have done.
local function close_early(co)
   if close then
      pcall(close, co)
   end
end

------------------------------------------------------------------------------------------------------------
-- Steps

local function failed(co, object)
   -- Where memory has ended there may be none for a traceback.
   local ok, text = pcall(error_text, co, object)
   if not ok then
      text = c_text(object)
   end
   close_early(co)
   if pending.record then
      host.abort_passthrough()
   end
   end_call(co)
   let_go()
   return FAILED, text
end

-- For finalisers.lua and memory_cap.lua: a step broke off in our own code, so the call never came to its end here.
function host.end_running_call()
   local co = nesting.call
   if pending.record then
      host.abort_passthrough()
   end
   if co then
      end_call(co)
   end
   let_go()
end

local function step(co, ok, mark, ...)
   if not ok then
      return failed(co, mark)
   end
   if status(co) == "dead" then
      if pending.record then
         host.abort_passthrough()
      end
      end_call(co)
      return DONE, select("#", mark, ...), mark, ...
   end
   if rawequal(mark, PARK) then
      -- Interrupted within a coroutine of the script's (coroutines.lua).
      if rawequal((...), SLICE) then
         return interrupted(co)
      end
      return PARKED, co, ...
   end
   -- Only C code yields here: coroutine.yield itself raises (coroutines.lua).
   return failed(co, "attempt to yield from outside a coroutine")
end

-- A function without results still passes one nil to `step`; this keeps the count honest.
local function first_step(co, ok, ...)
   if ok and select("#", ...) == 0 then
      if status(co) == "dead" then
         if pending.record then
            host.abort_passthrough()
         end
         end_call(co)
         return DONE, 0
      elseif was_preempted and was_preempted() then
         return interrupted(co)
      end
   end
   return step(co, ok, ...)
end

function host.start(name, ...)
   local fn = rawget(globals, name)
   if type(fn) ~= "function" then
      return NO_FUNCTION, 0
   end
   local co = create(fn)
   enter(co)
   return first_step(co, resume_raw(co, ...))
end

function host.resume(co, ...)
   enter(co)
   return first_step(co, resume_raw(co, ...))
end

-- Ends a parked call whose results nobody waits for any more.
function host.cancel(co)
   nesting.depth, nesting.call = 0, co
   if status(co) == "suspended" then
      close_early(co)
      -- One that was begun while closing is not to be taken for another call's.
      if pending.record then
         host.abort_passthrough()
      end
   end
   end_call(co)
   -- The watch knows of none now.
   nesting.entered = false
   return DONE, 0
end

function host.has_function(name)
   return type(rawget(globals, name)) == "function"
end

-- Memory in use, in kilobytes (Lua 5.2 returns a second number).
function host.memory_kb()
   return (collectgarbage("count"))
end

------------------------------------------------------------------------------------------------------------
-- Loading

local main_chunk

-- Compiles without running. Returns nil, or Lua's message.
function host.compile(source, chunk_name)
   local message
   main_chunk, message = host.compile_text(source, chunk_name)
   return message and tostring(message)
end

function host.start_main()
   local co = create(main_chunk)
   main_chunk = nil
   enter(co)
   return first_step(co, resume_raw(co))
end
