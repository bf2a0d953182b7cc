"""Commands in Redis' wire format. Pure; the redis driver builds all it sends here."""

from typing import Final

_GET: Final = b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n"


def packed(*words: bytes) -> bytes:
    """Return a command of any words."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def get(name: bytes) -> bytes:
    """Return a GET; the one command whose speed matters."""
    return _GET % (len(name), name)
