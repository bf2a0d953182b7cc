-- hooks: debug.sethook and debug.gethook, with our own code as closed to a script's hook as code written in C.
--
-- A part. A hook may raise an error wherever it runs. In the middle of our functions that would leave a memory cap
-- lifted, or a table half-changed for other calls to see; so there it does not run.

local host = ...
local made, is_our_source, getinfo, sethook, gethook, pcall =
   host.made, host.is_our_source, host.raw.getinfo, host.raw.sethook, host.raw_debug.gethook, host.raw.pcall
local setmetatable, type = setmetatable, type

-- What Lua calls -> the script's hook.
local hooks = setmetatable({}, { __mode = "k" })

-- Does the running function belong to ours? For C functions their caller counts.
local function is_in_our_code()
   local level = 3
   local info = getinfo(level, "S")
   while info and (info.what == "C" or info.what == "tail") do
      level = level + 1
      info = getinfo(level, "S")
   end
   return info and is_our_source(info.source)
end

local function hook_of_script(hook)
   local function wrapped(event, line)
      if not is_in_our_code() then
         -- A tail call, so that the hook finds the interrupted function where Lua would show it.
         return hook(event, line)
      end
   end
   hooks[wrapped] = hook
   return wrapped
end

function made.debug_sethook(thread, hook, mask, count)
   if type(thread) == "thread" then
      host.passed_on(pcall(sethook, thread, type(hook) == "function" and hook_of_script(hook) or hook, mask, count))
   else
      hook, mask, count = thread, hook, mask
      host.passed_on(pcall(sethook, type(hook) == "function" and hook_of_script(hook) or hook, mask, count))
   end
end

function made.debug_gethook(...)
   local hook, mask, count = gethook(...)
   return hooks[hook] or hook, mask, count
end
