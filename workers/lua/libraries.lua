-- libraries: functions of Lua's that few scripts call, in whose place ours come in late: `debug`, loadfile and dofile.
--
-- Behind parts.lua, which it needs.

local host = ...
local globals, debug, package, part, stand_in = _G, rawget(_G, "debug"), host.package, host.part, host.stand_in

-- Functions of `debug` that would let a script into ours. The rest of the library is as Lua has it.
local REPLACED = {
   "debug", "gethook", "getinfo", "getlocal", "getmetatable", "getregistry", "getupvalue",
   "sethook", "setlocal", "setmetatable", "setupvalue", "upvalueid", "upvaluejoin",
}

local debugging, raw = part({ "debugging.lua", "hooks.lua" }), {}
host.raw_debug, host.file_metatable = raw, debug.getmetatable(io.stdout)
for _, name in ipairs(REPLACED) do
   raw[name] = debug[name]
   if raw[name] then
      debug[name] = stand_in(debugging, "debug_" .. name)
   end
end

local files = part({ "files.lua" })
local searchers = package.searchers or package.loaders
searchers[2] = stand_in(files, "search_module")
if host.native.profile ~= "restricted" then
   globals.loadfile, globals.dofile = stand_in(files, "loadfile"), stand_in(files, "dofile")
end
