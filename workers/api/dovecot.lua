-- The global table `dovecot`: functions in its metatable, sub-tables raw, as Dovecot shapes it.
--
-- First file of workers/api to run in a state; the others add to host.dovecot and host.methods.
-- Mirrors dlua_dovecot_register (Dovecot 2.3 and 2.4): pairs(dovecot) lists the sub-tables only.

local host = ...

host.methods = { __name = "dovecot" }
host.methods.__index = host.methods
host.dovecot = setmetatable({}, host.methods)
dovecot = host.dovecot
