"""`lualoft demo`: the command, and the made-up users and login attempts that it checks."""
