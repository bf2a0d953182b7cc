"""`lualoft dict`: looks at and changes the dicts of the settings, shaped like `doveadm dict`."""
