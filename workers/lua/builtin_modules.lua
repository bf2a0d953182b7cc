-- builtin_modules: the modules of workers/lua/modules, compiled at the first `require` of each.
--
-- Each is run with `host` and its name and returns what `require` gives. An own file of the same name on
-- package.path does not replace it: package.preload comes first, as for modules linked into a program.

local host = ...
local native, compile_text = host.native, host.compile_text
local assert, error, loaded, pcall = assert, error, package.loaded, host.raw.pcall

local function run_module(name)
   local file_name, source = native.module_source(name)
   local chunk = assert(compile_text(source, "=[lualoft " .. file_name .. "]"))
   return chunk(host, name)
end

-- `require` says which one is wanted.
local function load_module(name)
   local ok, module = pcall(run_module, name)
   if not ok then
      -- There was no memory. Lua 5.1 takes what it has put there for a module that is being loaded, for good.
      loaded[name] = nil
      error(module, 0)
   end
   return module
end

for name in native.module_names:gmatch("[^,]+") do
   package.preload[name] = load_module
end

-- The last to be asked: for a well-known module that is not there it says why, and what to do.
local searchers = package.searchers or package.loaders
searchers[#searchers + 1] = function(name)
   local text = run_module("lualoft.missing")(name)
   if text then
      error(text, 0)
   end
end
