"""Dovecot's password schemes: checks and makes `{SCHEME}hash` strings. Knows no Lua; everything is bytes."""
