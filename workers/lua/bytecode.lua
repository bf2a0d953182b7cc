-- bytecode: compiles our own Lua files once and runs what came of it in each state.
--
-- Debug information is left out from Lua 5.3 on and on LuaJIT (older ones cannot): it is a quarter of a state's memory.
-- The very first code of a state; runtime.py takes both functions and lets go of them before the script comes.

local load, dump, assert = rawget(_G, "loadstring") or load, string.dump, assert

-- Runs byte code that `dump` below made, with one argument.
local function run(code, argument)
   return assert(load(code))(argument)
end

local function compile(source, chunk_name)
   return dump(assert(load(source, chunk_name)), true)
end

return run, compile
