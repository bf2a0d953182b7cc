-- cjson.safe: as `cjson`, but encode and decode return nil and a message instead of raising.
--
-- encode(value) -> text, or nil, message · decode(text) -> value, or nil, message · the rest as in `cjson`, with
-- settings of its own. A wrong number of arguments still raises.
--
-- Mirrors: lua-cjson 2.1.0 with OpenResty's additions.

return require "lualoft.cjson"(true)
