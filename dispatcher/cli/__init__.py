"""The `lualoft` command: one module per sub-command, loaded when its name is typed."""
