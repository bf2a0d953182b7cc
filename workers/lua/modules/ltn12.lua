-- ltn12: sources, sinks and filters, and the pumps between them.
--
-- source() -> chunk, nil at the end, or nil, message. sink(chunk [, message]) -> 1, or nil, message; nil ends it.
-- filter(chunk) -> chunk: "" asks for more output, nil ends the input; "" back means that more input is needed.
--
-- source: empty() error(message) file(handle, message) simplify(source) string(text) table(list) rewind(source)
--    chain(source, filter, ...) cat(source, ...)
-- sink: table([list]) -> sink, list · null() error(message) file(handle, message) simplify(sink)
--    chain(filter, ..., sink)
-- filter: cycle(low, context, extra), where low(context, chunk, extra) -> chunk, context · chain(filter, ...)
-- pump: step(source, sink) -> 1, or nil, message · all(source, sink [, step]) -> 1, or nil, message
-- BLOCKSIZE: bytes that source.string and source.file give at once.
--
-- Mirrors: LTN12 1.0.3 of LuaSocket 3.1, from its manual, compared call by call.

local error, format, insert, remove, select, sub, type =
   error, string.format, table.insert, table.remove, select, string.sub, type

local source, sink, filter, pump = {}, {}, {}, {}
local ltn12 = {
   BLOCKSIZE = 2048,
   _VERSION = "LTN12 1.0.3",
   source = source,
   sink = sink,
   filter = filter,
   pump = pump,
}

local NO_FILE = "unable to open file"

local function check(value, kind, index, name)
   if type(value) ~= kind then
      error(format("bad argument #%d to '%s' (%s expected, got %s)", index, name, kind, type(value)), 3)
   end
end

------------------------------------------------------------------------------------------------------------
-- Filters

function filter.cycle(low, context, extra)
   check(low, "function", 1, "cycle")
   return function(chunk)
      local result
      result, context = low(context, chunk, extra)
      return result
   end
end

-- What comes out of `first` goes into `second`. `second` is emptied before `first` is asked again.
local function joined(first, second)
   local may_hold_output, has_ended = false, false
   return function(chunk)
      local again = chunk and ""
      while true do
         if may_hold_output and (chunk == nil or chunk == "") then
            local result = second("")
            if result ~= "" then
               return result
            end
         end
         may_hold_output = false
         local between
         if not has_ended then
            between = first(chunk)
         end
         if between == "" then
            return ""
         end
         has_ended = has_ended or between == nil
         local result = second(between)
         may_hold_output = not has_ended
         if result ~= "" or has_ended then
            return result
         end
         chunk = again
      end
   end
end

function filter.chain(...)
   local count = select("#", ...)
   local chain = select(count, ...)
   for index = count - 1, 1, -1 do
      chain = joined((select(index, ...)), chain)
   end
   return chain
end

------------------------------------------------------------------------------------------------------------
-- Sources

local function nothing()
   return nil
end

function source.empty()
   return nothing
end

function source.error(message)
   return function()
      return nil, message
   end
end

function source.file(handle, message)
   if not handle then
      return source.error(message or NO_FILE)
   end
   return function()
      local chunk = handle:read(ltn12.BLOCKSIZE)
      if not chunk then
         handle:close()
      end
      return chunk
   end
end

-- A fancy source may return the source that takes its place.
function source.simplify(fancy)
   check(fancy, "function", 1, "simplify")
   return function()
      local chunk, following = fancy()
      fancy = following or fancy
      if not chunk then
         return nil, following
      end
      return chunk
   end
end

function source.string(text)
   if not text then
      return source.empty()
   end
   local pos = 1
   return function()
      local chunk = sub(text, pos, pos + ltn12.BLOCKSIZE - 1)
      pos = pos + ltn12.BLOCKSIZE
      return chunk ~= "" and chunk or nil
   end
end

function source.table(list)
   check(list, "table", 1, "table")
   local index = 0
   return function()
      index = index + 1
      return list[index]
   end
end

-- Chunks given back with source(chunk) come again, the last one first.
function source.rewind(inner)
   check(inner, "function", 1, "rewind")
   local returned = {}
   return function(chunk)
      if chunk then
         insert(returned, chunk)
         return nil
      end
      return remove(returned) or inner()
   end
end

local function chain_one(inner, apply)
   local is_fed, has_ended, is_empty = false, false, false
   return function()
      if is_empty then
         error("source is empty!", 2)
      end
      while true do
         local input = is_fed and "" or nil
         if not is_fed and not has_ended then
            local message
            input, message = inner()
            if message then
               return nil, message
            end
            has_ended = input == nil
         end
         is_fed = not has_ended
         local output = apply(input)
         if output and output ~= "" then
            return output
         elseif has_ended then
            is_empty = true
            return nil
         elseif output == nil then
            error("filter returned inappropriate nil", 2)
         end
         is_fed = false
      end
   end
end

function source.chain(inner, ...)
   check(inner, "function", 1, "chain")
   check((...), "function", 2, "chain")
   return chain_one(inner, filter.chain(...))
end

function source.cat(...)
   local sources, index = { ... }, 1
   return function()
      while sources[index] do
         local chunk, message = sources[index]()
         if chunk or message then
            return chunk, message
         end
         index = index + 1
      end
      return nil
   end
end

------------------------------------------------------------------------------------------------------------
-- Sinks

function sink.table(list)
   list = list or {}
   return function(chunk)
      if chunk then
         list[#list + 1] = chunk
      end
      return 1
   end, list
end

local function swallow()
   return 1
end

function sink.null()
   return swallow
end

function sink.error(message)
   return function()
      return nil, message
   end
end

function sink.file(handle, message)
   if not handle then
      return sink.error(message or NO_FILE)
   end
   return function(chunk)
      if not chunk then
         handle:close()
         return 1
      end
      return handle:write(chunk)
   end
end

-- A fancy sink may return the sink that takes its place.
function sink.simplify(fancy)
   check(fancy, "function", 1, "simplify")
   return function(chunk, message)
      local result, following = fancy(chunk, message)
      if not result then
         return nil, following
      end
      fancy = following or fancy
      return 1
   end
end

function sink.chain(...)
   local count = select("#", ...)
   local arguments = { ... }
   check(arguments[1], "function", 1, "chain")
   check(arguments[count], "function", count, "chain")
   local inner = remove(arguments, count)
   local apply = filter.chain((table.unpack or unpack)(arguments))
   return function(chunk, message)
      if chunk == "" then
         return 1
      end
      local last, output = chunk and "", apply(chunk)
      while true do
         local ok, sink_message = inner(output, message)
         if not ok then
            return nil, sink_message
         elseif output == last then
            return 1
         end
         output = apply(last)
      end
   end
end

------------------------------------------------------------------------------------------------------------
-- Pumps

function pump.step(from, to)
   local chunk, source_message = from()
   local ok, sink_message = to(chunk, source_message)
   if chunk and ok then
      return 1
   end
   return nil, source_message or sink_message
end

function pump.all(from, to, step)
   check(from, "function", 1, "all")
   check(to, "function", 2, "all")
   step = step or pump.step
   while true do
      local ok, message = step(from, to)
      if not ok then
         if message then
            return nil, message
         end
         return 1
      end
   end
end

return ltn12
