-- Two kinds of Lua, which never share a folder: hosted Lua runs in our own Lua states, Redis Lua inside the server.
-- No file mixes them, so each folder has its profile.
max_line_length = 120
-- A link to the script of the same name in lua_scripts, which is checked there.
exclude_files = { "dispatcher/cli/demo/*.lua" }

-- Hosted, written by mail operators: the `dovecot` table is given to them, the functions below are theirs to define.
local script = {
    std = "lua54",
    read_globals = { "dovecot" },
    globals = {
        "script_init",
        "script_deinit",
        "auth_password_verify",
        "auth_passdb_lookup",
        "auth_passdb_get_cache_key",
        "auth_userdb_lookup",
        "auth_userdb_iterate",
        "auth_userdb_get_cache_key",
    },
    -- Dovecot calls with a fixed list of arguments; a script names them all and uses some.
    ignore = { "212" },
}

-- Hosted, written by us: makes the `dovecot` table and closes what scripts must not reach.
local prelude = {
    std = "lua54",
    globals = { "dovecot", "os", "package" },
    -- Lua 5.1 and LuaJIT have them.
    read_globals = { "newproxy", "bit", "unpack", "loadstring" },
}

-- Redis Lua: Lua 5.1 with the server's names, and no global of its own.
local redis_side = {
    std = "lua51",
    read_globals = { "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "struct" },
}

files["lua_scripts/**/*.lua"] = script
files["tests/unit/**/*.lua"] = script
files["tests/conformance/*.lua"] = script
files["tests/acceptance/**/*.lua"] = script
files["workers/lua/**/*.lua"] = prelude
files["workers/api/**/*.lua"] = prelude
files["workers/auth/**/*.lua"] = prelude
files["tests/conformance/modules/**/*.lua"] = { std = "lua54", globals = { "show", "same", "attempt" }, read_globals = { "loadstring" } }
files["dispatcher/**/*.lua"] = redis_side
files["workers/*.lua"] = redis_side
files["workers/dict/**/*.lua"] = redis_side
files["tests/integration/**/*.lua"] = redis_side
