-- What the conformance host adds to `dovecot`: wait(…), an operation that comes back with its own arguments.

local host = ...

function host.methods.wait(...)
   return host.await("wait", ...)
end
