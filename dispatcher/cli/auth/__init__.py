"""`lualoft auth`: asks an auth script what Dovecot would ask it."""
