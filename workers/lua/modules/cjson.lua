-- cjson: fast JSON with a `null` that stays, settings per module, and errors that are raised.
--
-- encode(value) -> text · decode(text) -> value · new() · null · empty_array · array_mt · empty_array_mt · settings:
-- see lualoft_cjson.lua and lualoft_cjsonsettings.lua.
--
-- Mirrors: lua-cjson 2.1.0 with OpenResty's additions.

return require "lualoft.cjson"(false)
