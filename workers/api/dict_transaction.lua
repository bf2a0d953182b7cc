-- dict:transaction_begin([username[, expire_secs]]): changes that one commit carries out, all or none.
--
-- Changes are gathered in Lua and handed over by commit, so any number of transactions may be open, and one that is
-- left open when its call ends has changed nothing. Mirrors dict-txn-lua.c (2.3, 2.4); where that crashes after a
-- commit or rollback, the texts about the state come instead.

local host = ...
local await, check_integer, check_string, expect_count, expect_exactly =
   host.await, host.check_integer, host.check_string, host.expect_count, host.expect_exactly
local error, select, type = error, select, type
local floor, ceil, find, format = math.floor, math.ceil, string.find, string.format
local nesting, at_call_end = host.nesting, host.at_call_end
-- Since 2.4.0, as set_non_atomic.
local takes_expiry = not find(host.native.absent_names, "dict:expire_secs", 1, true)
-- Dovecot keeps the seconds in an unsigned number of 32 bits.
local EXPIRE_MODULUS = 4294967296

local methods, new, secret_of = host.object_kind("struct lua_dict_txn")

local OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"

-- Raises unless the transaction takes changes, in the call that began it.
local function check_open(txn)
   if txn.state == COMMITTED then
      error("dict transaction already committed", 0)
   elseif txn.state == ABORTED then
      error("dict transaction already aborted", 0)
   elseif txn.call ~= nesting.call then
      error("dict transaction belongs to another call, which rolled it back when it ended", 0)
   end
end

-- Its call has ended: it was not committed, so it is rolled back, and it must not keep what the call held.
local function leave(txn)
   txn.call, txn.changes = nil, nil
end

local function add(txn, kind, key, value)
   check_open(txn)
   host.check_dict_key(key, txn.username)
   local changes, count = txn.changes, txn.change_count
   changes[count + 1], changes[count + 2], changes[count + 3] = kind, key, value
   -- Last: where memory ends in between, there is no part of a change.
   txn.change_count = count + 3
end

-- set(key, value)
function methods.set(...)
   expect_exactly(3, ...)
   local self, key, value = ...
   local txn = secret_of(self)
   key = check_string(key, 2)
   add(txn, "set", key, check_string(value, 3))
end

-- unset(key)
function methods.unset(...)
   expect_exactly(2, ...)
   local self, key = ...
   add(secret_of(self), "unset", check_string(key, 2), "")
end

-- atomic_inc(key, difference): adds to the integer under a key. Ours: Dovecot has it in C only. A key that is not there
-- counts as 0, as Dovecot's redis driver takes it; another value makes the commit fail.
function methods.atomic_inc(...)
   expect_exactly(3, ...)
   local self, key, difference = ...
   local txn = secret_of(self)
   key = check_string(key, 2)
   add(txn, "inc", key, format("%d", check_integer(difference, 3)))
end

local function number_in(value, name)
   local number = type(value) == "table" and value[name]
   if type(number) ~= "number" then
      error(name .. " missing from table", 0)
   end
   return number >= 0 and floor(number) or ceil(number)
end

-- set_timestamp{tv_sec = n, tv_nsec = n}: accepted and without effect, as in Dovecot's redis driver. Once, before any
-- change, above 0.
function methods.set_timestamp(...)
   expect_exactly(2, ...)
   local self, value = ...
   local txn = secret_of(self)
   local seconds = number_in(value, "tv_sec")
   number_in(value, "tv_nsec")
   check_open(txn)
   if seconds <= 0 or seconds ~= seconds then
      error("dict transaction timestamp must be above 0", 0)
   elseif txn.has_timestamp then
      error("dict transaction already has a timestamp", 0)
   elseif txn.change_count > 0 then
      error("dict transaction timestamp must be set before any changes", 0)
   end
   txn.has_timestamp = true
end

-- set_non_atomic(): allows the changes to be carried out one by one; here they are atomic all the same.
function methods.set_non_atomic(...)
   expect_exactly(1, ...)
   check_open(secret_of((...)))
end

-- Drops what there is of a change for which there was no memory.
local function drop_rest(changes, count)
   for place = count + 1, count + 3 do
      if changes[place] then
         changes[place] = nil
      end
   end
end

local function committed(is_done, problem)
   if not is_done then
      error("dict transaction commit failed: " .. problem, 0)
   end
end

-- commit(): carries everything out. Waits. Raises on failure; the transaction is over in any case.
function methods.commit(...)
   expect_exactly(1, ...)
   local txn = secret_of((...))
   check_open(txn)
   txn.state = COMMITTED
   local changes = txn.changes
   txn.changes = nil
   if txn.change_count > 0 then
      drop_rest(changes, txn.change_count)
      committed(await("dict_commit", txn.name, txn.username, txn.expire_s, changes))
   end
end

-- rollback(): forgets everything.
function methods.rollback(...)
   expect_exactly(1, ...)
   local txn = secret_of((...))
   check_open(txn)
   txn.state, txn.changes = ABORTED, nil
end

-- transaction_begin([username[, expire_secs]]) -> transaction. Does not wait.
function host.dict_methods.transaction_begin(...)
   expect_count(1, takes_expiry and 3 or 2, ...)
   local self, username, expire_s = ...
   local name, count = host.dict_name(self), select("#", ...)
   username = count >= 2 and check_string(username, 2) or ""
   expire_s = count >= 3 and check_integer(expire_s, 3) % EXPIRE_MODULUS or 0
   local txn = {
      name = name,
      username = username,
      expire_s = expire_s,
      call = nesting.call,
      state = OPEN,
      changes = {},
      change_count = 0,
   }
   at_call_end(leave, txn)
   return (new(txn))
end

host.fit_to_dialect("dict_txn", methods)
