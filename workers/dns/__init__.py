"""Host names to addresses, as Dovecot's dns-client does it: hosts file, DNS servers, cache; knows no Lua."""
