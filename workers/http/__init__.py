"""What stands behind `dovecot.http`: settings, URLs, and the exchanges themselves; knows no Lua."""
