-- Purpose: users from an SQLite database: logins, user data, the list of users.
--
-- Needs the C module luasql.sqlite3: `apt-get install lua-sql-sqlite3`, and `c_modules = true` in lualoft's [lua]. It
-- waits inside C, which holds up all calls of its worker: right for a database on this machine's disk.
--
-- Functions
--   script_init(settings)       takes the settings below. Returns 0; fails when `file` is missing.
--   auth_passdb_lookup(request) request.user: the name as in the table. Returns a passdb result and
--                                 with PASSDB_RESULT_OK the fields { password = "{SCHEME}hash" },
--                                 otherwise a text for the log.
--   auth_userdb_lookup(request) the same with the fields uid, gid, home, each if it is not NULL.
--   auth_userdb_iterate()       returns the names in their order; fails when the database does.
--
-- Settings; Dovecot 2.3 passes none, there they are written into the table below.
--   file  path of the database, which must exist
--
-- The table: CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT NOT NULL, uid INTEGER, gid INTEGER, home TEXT);
-- Every trouble with the database is an internal failure.

local luasql = require("luasql.sqlite3")

local settings = { file = "" }

-- Waiting for somebody who writes, in milliseconds.
local BUSY_TIMEOUT_MSECS = 200

local environment = luasql.sqlite3()
local connection

local function connect()
   -- SQLite would make a new, empty database of a wrong path.
   assert(io.open(settings.file, "rb")):close()
   connection = assert(environment:connect(settings.file, BUSY_TIMEOUT_MSECS))
end

-- Returns the rows of a statement, which is made when there is a connection; raises an error that says why not.
local function query(make_statement)
   if not connection then
      connect()
   end
   local cursor = assert(connection:execute(make_statement()))
   local rows = {}
   local row, reason = cursor:fetch({}, "a")
   while row do
      rows[#rows + 1] = row
      row, reason = cursor:fetch({}, "a")
   end
   cursor:close()
   assert(not reason, reason)
   return rows
end

-- As `query`, but returns nil and a text for an error.
local function try_query(make_statement)
   local is_done, result = pcall(query, make_statement)
   if is_done then
      return result
   end
   -- The next call begins with a new connection.
   if connection then
      connection:close()
      connection = nil
   end
   return nil, tostring(result)
end

-- Runs a query about the user. Returns the row, false if there is none, or nil and a text.
local function find(columns, name)
   -- LuaSQL has no bound parameters, and its `escape` ends at a NUL, which no name holds.
   if not name or name:find("\0", 1, true) then
      return false
   end
   local rows, reason = try_query(function()
      return ("SELECT %s FROM users WHERE name = '%s'"):format(columns, connection:escape(name))
   end)
   if not rows then
      return nil, reason
   end
   return rows[1] or false
end

function script_init(given)
   for name, value in pairs(given or {}) do
      if not settings[name] then
         error(("unknown setting `%s`"):format(name), 0)
      end
      settings[name] = value
   end
   if settings.file == "" then
      error("the setting `file` is missing: the path of the database", 0)
   end
   return 0
end

function auth_passdb_lookup(request)
   local row, reason = find("password", request.user)
   if row == nil then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, reason
   elseif not row then
      return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such user"
   elseif type(row.password) ~= "string" or not row.password:find("^{.-}") then
      -- Without a scheme the versions of Dovecot take it for different ones.
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "the stored password names no scheme"
   end
   return dovecot.auth.PASSDB_RESULT_OK, { password = row.password }
end

function auth_userdb_lookup(request)
   local row, reason = find("uid, gid, home", request.user)
   if row == nil then
      return dovecot.auth.USERDB_RESULT_INTERNAL_FAILURE, reason
   elseif not row then
      return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "no such user"
   end
   -- The columns are named as the fields are, and a NULL is not in the row.
   return dovecot.auth.USERDB_RESULT_OK, row
end

function auth_userdb_iterate()
   local rows, reason = try_query(function()
      return "SELECT name FROM users ORDER BY name"
   end)
   if not rows then
      error(reason, 0)
   end
   local names = {}
   for i, row in ipairs(rows) do
      names[i] = row.name
   end
   return names
end
