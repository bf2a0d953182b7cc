-- builtin_modules: the modules of workers/lua/modules, compiled at the first `require` of each.
--
-- Each is run with `host` and its name and returns what `require` gives. An own file of the same name on
-- package.path does not replace it: package.preload comes first, as for modules linked into a program.

local host = ...
local native, compile_text = host.native, host.compile_text
local assert, error = assert, error

for name in native.module_names:gmatch("[^,]+") do
   package.preload[name] = function()
      local file_name, source = native.module_source(name)
      local chunk = assert(compile_text(source, "=[lualoft " .. file_name .. "]"))
      return chunk(host, name)
   end
end

-- The last to be asked: for a well-known module that is not there it says why, and what to do.
local explain_missing = package.preload["lualoft.missing"]
local searchers = package.searchers or package.loaders
searchers[#searchers + 1] = function(name)
   local text = explain_missing()(name)
   if text then
      error(text, 0)
   end
end
