-- files: loadfile, dofile, and the files that `require` finds.
--
-- A part. Files are read here as text, because Lua's own file loader takes byte code (on 5.1 even behind a first line
-- that starts with `#`).

local host = ...
local native, open, compile, package = host.native, host.raw.open, host.compile_text, host.package
local concat, error, find, gsub, gmatch, match, sub, type =
   table.concat, error, string.find, string.gsub, string.gmatch, string.match, string.sub, type

-- What Lua's file loader skips: a byte order mark and a first line that starts with `#` (its line end stays).
local function without_first_line(text)
   text = gsub(text, "^\239\187\191", "")
   if sub(text, 1, 1) == "#" then
      return match(text, "^[^\n]*(.*)$")
   end
   return text
end

local function load_path(path, environment)
   local file, message = open(path, "rb")
   if not file then
      return nil, "cannot open " .. message
   end
   local text
   text, message = file:read("*a")
   file:close()
   if not text then
      return nil, "cannot read " .. path .. ": " .. (message or "it is no file")
   end
   return compile(without_first_line(text), "@" .. path, environment)
end

function host.made.loadfile(path, _, environment)
   if type(path) ~= "string" then
      -- Lua would read the standard input, which is the worker's line to its supervisor.
      return nil, "loadfile() needs the path of a file"
   end
   return load_path(path, environment)
end

function host.made.dofile(path)
   local chunk, message = host.made.loadfile(path)
   if not chunk then
      error(message, 0)
   end
   return chunk()
end

-- package.searchpath, which Lua 5.1 lacks.
local function search_path(name, path)
   if find(name, "\0", 1, true) then
      -- To C the path would end there, whatever the templates say.
      return nil, ""
   end
   local file_name, tried = gsub(name, "%.", "/"), {}
   for template in gmatch(path, "[^;]+") do
      local candidate = gsub(template, "%?", (gsub(file_name, "%%", "%%%%")))
      local file = open(candidate, "rb")
      if file then
         file:close()
         return candidate
      end
      tried[#tried + 1] = "\n\tno file '" .. candidate .. "'"
   end
   return nil, concat(tried)
end

-- Lua 5.4 puts a line break in front of each searcher's text itself.
local function as_searcher_text(text)
   if native.joins_searchers then
      return (gsub(text, "^\n\t", ""))
   end
   return text
end

-- The searcher of `require` for files in Lua.
function host.made.search_module(name)
   local templates = host.fixed_module_path or package.path
   if type(templates) ~= "string" then
      error("'package.path' must be a string", 0)
   end
   local path, tried = search_path(name, templates)
   if not path then
      return as_searcher_text(tried)
   end
   local chunk, message = load_path(path)
   if not chunk then
      error("error loading module '" .. name .. "' from file '" .. path .. "':\n\t" .. message, 0)
   end
   return chunk, path
end
