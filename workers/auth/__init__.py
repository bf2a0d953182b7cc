"""The auth host: calls passdb and userdb scripts as Dovecot's auth process does."""
