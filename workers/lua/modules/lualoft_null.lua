-- lualoft.null: marks for values that Lua lacks, made so that a script sees what the C libraries show: a userdata.
--
-- new(name) -> a value that is unique, true in conditions and of type "userdata". Where the state gives no way to make
--    one (the `debug` library is gone and `newproxy` too), a table whose tostring() is "userdata: NAME".
-- null -> the one JSON null that json, cjson and rapidjson share, so that a value of one can be encoded by another.
--
-- A light userdata is Lua's own name for an upvalue: unique while the closure lives, so the closures are kept.

local host = ...
local assert, newproxy, setmetatable = assert, newproxy, setmetatable
local compile = host.compile_text or load

-- The restricted profile takes `debug` away before the script runs; host.raw may keep what was there.
local upvalueid = host.raw and host.raw.upvalueid or debug and debug.upvalueid

local marks = {}
local kept = {}

function marks.new(name)
   if upvalueid then
      -- A chunk name without our mark: debug.upvalueid, as scripts see it, tells nothing of functions of ours.
      local closure = assert(compile("local name = ... return function() return name end", "=mark"))(name)
      kept[#kept + 1] = closure
      return upvalueid(closure, 1)
   end
   if newproxy then
      return newproxy()
   end
   return setmetatable({}, {
      __tostring = function()
         return "userdata: " .. name
      end,
   })
end

marks.null = marks.new("NULL")

return marks
