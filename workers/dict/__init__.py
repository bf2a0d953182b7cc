"""The dict store: lookups, iterations and transactions on Redis or in memory; knows no Lua."""
