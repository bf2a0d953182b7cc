-- The global table `dovecot`: functions in its metatable, sub-tables raw, as Dovecot shapes it.
--
-- First file of workers/api that makes something visible; the others add to host.dovecot (sub-tables) and
-- host.methods (functions). Mirrors dlua_dovecot_register (2.3, 2.4): pairs(dovecot) lists the sub-tables only,
-- unknown names give nil, and scripts may add fields.

local host = ...

host.methods = { __name = "dovecot" }
host.methods.__index = host.methods
host.method_tables[#host.method_tables + 1] = host.methods
host.dovecot = setmetatable({}, host.methods)
dovecot = host.dovecot
