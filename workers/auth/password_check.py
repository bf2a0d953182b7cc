"""Password checks of the auth host: the cheap ones at once, the others as operations on a thread.

The auth task checks what a lookup returned; the Lua side serves `request:password_verify`. Nothing raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from workers.passwords.check import blocking_verify, split_scheme
from workers.passwords.lookup import is_temporary, verify_returned
from workers.passwords.policy import Dialect, Origin, allows_weak, default_scheme
from workers.passwords.schemes import find_scheme

if TYPE_CHECKING:
    from collections.abc import Callable

#: The operation behind `request:password_verify`: the arguments of `blocking_verify`.
PASSWORD_VERIFY: Final = b"password_verify"
#: The operation that checks what a lookup returned: the fields of `ReturnedPassword`.
RETURNED_PASSWORD: Final = b"returned_password"

#: Schemes that take a few microseconds, less than handing them to a thread.
_CHEAP: Final = frozenset(
    b"PLAIN CLEAR CLEARTEXT PLAIN-TRUNC SHA SHA1 SHA256 SHA512 SSHA SSHA256 SSHA512 SMD5 PLAIN-MD5 LDAP-MD5 "
    b"CRAM-MD5 HMAC-MD5 DIGEST-MD5".split()
)

#: More bytes than this, stored and typed together, are left to a thread whatever the scheme.
_CHEAP_BYTES: Final = 8192

_INTERNAL_ERROR: Final = b"Password check failed: internal error"


class ReturnedPassword(NamedTuple):
    """A password that a lookup returned, and what the client typed."""

    stored: bytes
    plain: bytes
    username: bytes
    dialect: bytes
    is_weak_allowed: bool
    #: The default scheme that is configured; empty for the dialect's own.
    scheme: bytes

    def __repr__(self) -> str:
        """Show nothing: all of it is secret."""
        return "ReturnedPassword(***)"

    @property
    def is_cheap(self) -> bool:
        """Is the check quicker than handing it to a thread?"""
        scheme = self.scheme or default_scheme(Dialect(self.dialect.decode()), Origin.PASSDB_LOOKUP).encode()
        return _is_cheap(self.stored, self.plain, scheme)


class Check(NamedTuple):
    """How such a check ended: what the operation returns."""

    is_match: bool
    #: Is the client told of a temporary failure rather than of a wrong password?
    is_temporary: bool
    #: For the log; empty on a match.
    text: bytes


def check_returned(*fields: object) -> Check:
    """Check a returned password. Takes the fields of `ReturnedPassword`; never raises."""
    password = ReturnedPassword._make(fields)
    dialect = Dialect(password.dialect.decode())
    try:
        done = verify_returned(
            password.stored,
            password.plain,
            username=password.username,
            dialect=dialect,
            allow_weak=allows_weak(dialect, password.is_weak_allowed),
            scheme=password.scheme.decode("ascii", "replace"),
        )
    except Exception:  # noqa: BLE001 - an answer is made of it; the text might hold the password
        return Check(is_match=False, is_temporary=True, text=_INTERNAL_ERROR)
    return Check(done.is_match, is_temporary(done, dialect), done.error)


def quick_verify(dialect: str) -> Callable[..., tuple[float, bytes | None] | None]:
    """Make the native that checks cheap schemes at once and returns None for the others."""
    name = dialect.encode()

    def verify(
        stored: bytes,
        plain: bytes,
        username: bytes,
        is_weak_allowed: bool,  # noqa: FBT001 - called by Lua
    ) -> tuple[float, bytes | None] | None:
        if not _is_cheap(stored, plain, b"PLAIN"):
            return None
        return blocking_verify(stored, plain, username, name, b"PLAIN", is_weak_allowed)

    return verify


def _is_cheap(stored: bytes, plain: bytes, scheme: bytes) -> bool:
    if len(stored) + len(plain) > _CHEAP_BYTES:
        return False
    name = split_scheme(stored).scheme
    found = find_scheme(scheme if name is None else name, Dialect.EITHER)
    # A scheme that does not exist needs no work either.
    return found is None or found.scheme.name in _CHEAP
