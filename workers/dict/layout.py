r"""Layouts: where in the database a dict key lies.

`dovecot` is what Dovecot's redis driver writes, byte by byte, so that both share data. It has two collisions:
`shared/u/x` is `priv/x` of user `u`, and user `a/b` is user `a\-b`. `tagged` has none, and puts the user into a hash
tag, so that all private keys of one user share a cluster's slot. Both are prefix-true: keys that begin alike lie under
names that begin alike, which is what iteration rests on.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from workers.dict.key import PRIVATE, SHARED


class Layout(Protocol):
    """How keys become names in the database."""

    def name_of(self, key: bytes, username: bytes) -> bytes:
        """Return the name of a valid key or the beginning of the names of a path."""


class DovecotLayout:
    """Dovecot's: shared/REST -> PREFIX REST, priv/REST -> PREFIX USER / REST. Mirrors dict-redis (2.3, 2.4)."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def name_of(self, key: bytes, username: bytes) -> bytes:
        """Return the name of a valid key or the beginning of the names of a path."""
        if key.startswith(SHARED):
            return self._prefix + key[len(SHARED) :]
        # Dovecot looks at the backslashes of a name only if it also holds a slash.
        if b"/" in username:
            username = username.replace(b"\\", b"\\\\").replace(b"/", b"\\-")
        return self._prefix + username + b"/" + key[len(PRIVATE) :]


class TaggedLayout:
    """Ours: shared/REST -> PREFIX s/ REST, priv/REST -> PREFIX p/ { USER } / REST."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def name_of(self, key: bytes, username: bytes) -> bytes:
        """Return the name of a valid key or the beginning of the names of a path."""
        if key.startswith(SHARED):
            return self._prefix + b"s/" + key[len(SHARED) :]
        # The closing brace too: it would end the hash tag.
        username = username.replace(b"\\", b"\\\\").replace(b"/", b"\\-").replace(b"}", b"\\)")
        return self._prefix + b"p/{" + username + b"}/" + key[len(PRIVATE) :]


#: Name in the settings -> layout.
LAYOUTS: Final[Mapping[str, Callable[[bytes], Layout]]] = {"dovecot": DovecotLayout, "tagged": TaggedLayout}
