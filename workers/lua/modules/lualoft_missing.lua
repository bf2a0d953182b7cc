-- lualoft.missing: why a well-known module is not there, and what to do about it.
--
-- returns explain(name) -> text; nil for a name that it does not know. The last of package.searchers calls it and
-- raises the text, so that `require` says one clear thing instead of a list of files.

local host = ...
local format, match = string.format, string.match
local has_c_modules = host.native.c_modules

--: C modules and the Debian package that has them; false: only LuaRocks has it.
local PACKAGES = {
   ["DBI"] = "lua-dbi-mysql",
   ["bcrypt"] = false,
   ["dbd.mysql"] = "lua-dbi-mysql",
   ["lfs"] = "lua-filesystem",
   ["lpeg"] = "lua-lpeg",
   ["lsqlite3"] = false,
   ["lualdap"] = "lua-ldap",
   ["luasql.mysql"] = "lua-sql-mysql",
   ["luasql.postgres"] = "lua-sql-postgres",
   ["luasql.sqlite3"] = "lua-sql-sqlite3",
   ["posix"] = "lua-posix",
   ["re"] = "lua-lpeg",
   ["zlib"] = "lua-zlib",
}

--: Modules that open connections themselves, and what a hosted script uses instead.
local SOCKET_MODULES = {
   ["mime.core"] = "mime",
   ["redis"] = "dovecot's dict functions",
   ["resty.http"] = "socket.http",
   ["socket.core"] = "socket.http",
   ["socket.ftp"] = "socket.http",
   ["socket.smtp"] = "socket.http",
   ["socket.unix"] = "socket.http",
   ["ssl"] = "ssl.https",
   ["ssl.core"] = "ssl.https",
}

local LUA_VERSION = match(_VERSION, "%d%.%d")

local function installing(name, package)
   if package then
      return "apt-get install " .. package
   end
   return format("luarocks --lua-version %s install %s", LUA_VERSION, name)
end

local function explain_c_module(name, package)
   local open_version = host.native.c_modules_version
   if open_version and open_version ~= "" then
      return format(
         "module '%s' is written in C, and this process is open to C modules of Lua %s only: set lua = \"%s\" for the "
            .. "script (%s)",
         name, open_version, open_version, installing(name, package)
      )
   elseif not has_c_modules then
      return format(
         "module '%s' is written in C, and C modules are switched off: set c_modules = true in the [lua] section (%s)",
         name, installing(name, package)
      )
   elseif LUA_VERSION == "5.5" and package then
      return format(
         "module '%s' is written in C and must be built for Lua 5.5; Debian builds it for 5.1 to 5.4: "
            .. 'set lua = "5.4" for the script (%s)',
         name, installing(name, package)
      )
   end
   return format("module '%s' is not installed for Lua %s: %s", name, LUA_VERSION, installing(name, package))
end

return function(name)
   local package = PACKAGES[name]
   if package ~= nil then
      return explain_c_module(name, package)
   end
   local instead = SOCKET_MODULES[name]
   if instead then
      return format("module '%s' needs connections of its own, which hosted scripts do not have: use %s", name, instead)
   end
   if match(name, "^luasql%.") then
      return explain_c_module(name, "lua-sql-" .. match(name, "^luasql%.(.*)$"))
   end
   return nil
end
