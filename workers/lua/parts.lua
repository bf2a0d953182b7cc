-- parts: those of our files that come into a state only when its script first uses what is in them.
--
-- Most scripts use little of the API, and a state that holds all of it takes half as much memory again. By then the
-- script may have replaced any function of Lua, so these files see copies of the libraries as they were before it; with
-- what the files before this one have put into them, as every file of ours sees it.

local host = ...
local native, load_raw, setfenv_raw = host.native, host.raw.load, rawget(_G, "setfenv")
local loadstring_raw, error, next, pcall = host.raw.loadstring, error, next, host.raw.pcall

-- Functions that files of parts take into locals; a file that needs another one adds it here.
local environment = {
   collectgarbage = collectgarbage,
   error = error,
   getmetatable = getmetatable,
   ipairs = ipairs,
   math = { ceil = math.ceil, floor = math.floor, tointeger = math.tointeger },
   newproxy = rawget(_G, "newproxy"),
   next = next,
   pcall = pcall,
   rawequal = rawequal,
   rawget = rawget,
   select = select,
   setmetatable = setmetatable,
   string = {
      find = string.find,
      format = string.format,
      gmatch = string.gmatch,
      gsub = string.gsub,
      lower = string.lower,
      match = string.match,
      sub = string.sub,
   },
   table = { concat = table.concat, remove = table.remove },
   tonumber = tonumber,
   tostring = tostring,
   type = type,
}
environment._G = environment

local function compile(code)
   local chunk, message
   if native.is_lua51 then
      chunk, message = loadstring_raw(code)
   else
      chunk, message = load_raw(code, "=?", "b", environment)
   end
   if not chunk then
      error(message, 0)
   end
   return setfenv_raw and setfenv_raw(chunk, environment) or chunk
end

-- What the files of parts make for the script, by name.
host.made = {}

local function load_all(files)
   for _, name in next, files do
      compile(native.code_of(name))(host)
   end
end

-- What files have registered that were not all loaded.
local function forget_after(count)
   for index = #host.method_tables, count + 1, -1 do
      host.method_tables[index] = nil
   end
end

-- Returns a function that runs `files`, of those in host_files.py, the first time that it is called, behind those they
-- build on. Time slices never end in our code, so nobody meets a part that is half there; one for which there is no
-- memory is loaded again by the next call.
function host.part(files, below)
   local is_loaded = false
   return function()
      if is_loaded then
         return
      end
      if below then
         below()
      end
      local count = #host.method_tables
      local ok, problem = pcall(load_all, files)
      if not ok then
         forget_after(count)
         error(problem, 0)
      end
      is_loaded = true
   end
end

local function through(...)
   return ...
end

-- Returns a function that stands for host.made[name] and has its part loaded first.
function host.stand_in(load_part, name)
   local made
   return function(...)
      if not made then
         load_part()
         made = host.made[name]
      end
      -- No tail call: by this frame check.lua sees how the script called.
      return through(made(...))
   end
end
