"""Dovecot's variable expansion: `%{user | lower}` of 2.4 and `%Lu` of 2.3."""
