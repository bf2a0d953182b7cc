"""The `dovecot` table: one file per object that Lua sees."""
