-- dict:iterate(path, flags[, username]): the step function and state of a generic `for`.
--
-- Rows come in pages; a step that finds one in hand does not wait. An error is raised behind the last row before it, by
-- the step that would have ended the loop. What an iterator holds outside Lua is given back at its end, when it is
-- collected, and when its call ends. Mirrors dict-iter-lua.c (2.3, 2.4); NO_VALUE, which crashes there, gives no
-- values.

local host = ...
local await, check_integer, check_string, expect_count, wrong_count, native =
   host.await, host.check_integer, host.check_string, host.expect_count, host.wrong_count, host.native
local error, select = error, select
local nesting, at_call_end = host.nesting, host.at_call_end

local methods, new, secret_of = host.object_kind("struct lua_dict_iter")

local NO_ROWS = {}

-- Gives back what an iterator holds outside Lua; a second time does nothing.
local function release(iterator)
   if iterator.id ~= 0 then
      native.release_dict_iterator(iterator.id)
      iterator.id = 0
   end
   iterator.is_ended = true
end

-- The call has ended: nobody may use it any more, and it must not keep what the call held. There may be no memory.
local function leave(iterator)
   iterator.call, iterator.rows = nil, NO_ROWS
   release(iterator)
end

function methods.__gc(self)
   release(secret_of(self))
end

local function take_page(iterator, id, problem, rows)
   -- nil: the operation itself failed.
   iterator.id = id or 0
   iterator.is_ended = iterator.id == 0
   iterator.problem = problem
   iterator.rows, iterator.place = rows or NO_ROWS, 1
end

local function next_page(iterator)
   take_page(
      iterator,
      await("dict_iterate", iterator.id, iterator.name, iterator.path, iterator.flags, iterator.username)
   )
end

-- Takes the next row out of the page: key, number of values, values.
local function take_row(iterator)
   local rows, place = iterator.rows, iterator.place
   local key, count = rows[place], rows[place + 1]
   local values = {}
   for index = 1, count do
      values[index] = rows[place + 1 + index]
   end
   iterator.place = place + 2 + count
   return key, values
end

-- Lua 5.1 cannot wait in the step of a `for`, so all rows are fetched beforehand there.
local function fetch_all(iterator)
   local all, place = {}, 1
   while not iterator.is_ended do
      next_page(iterator)
      for index = 1, #iterator.rows do
         all[place] = iterator.rows[index]
         place = place + 1
      end
   end
   iterator.rows, iterator.place = all, 1
end

-- step(state, control) -> key, list of values, 1-based | nothing at the end, and ever after.
local function step(...)
   local count = select("#", ...)
   if count ~= 2 then
      wrong_count(2, count)
   end
   local iterator = secret_of((...))
   if iterator.call ~= nesting.call then
      error("dict iterator belongs to another call", 0)
   end
   while not iterator.rows[iterator.place] and not iterator.is_ended do
      next_page(iterator)
   end
   if iterator.rows[iterator.place] then
      return take_row(iterator)
   end
   local problem = iterator.problem
   iterator.problem = nil
   if problem and problem ~= "" then
      error(problem, 0)
   end
end

-- iterate(path, flags[, username]) -> step, state. Does not wait: nothing is asked before the first step.
function host.dict_methods.iterate(...)
   expect_count(3, 4, ...)
   local self, path, flags, username = ...
   local name = host.dict_name(self)
   path, flags = check_string(path, 2), check_integer(flags, 3)
   username = select("#", ...) == 4 and check_string(username, 4) or ""
   host.check_dict_key(path, username)
   local iterator = {
      name = name,
      path = path,
      flags = flags,
      username = username,
      call = nesting.call,
      id = 0,
      rows = NO_ROWS,
      place = 1,
      is_ended = false,
      problem = false,
   }
   at_call_end(leave, iterator)
   if native.is_lua51 then
      fetch_all(iterator)
   end
   return step, (new(iterator))
end
