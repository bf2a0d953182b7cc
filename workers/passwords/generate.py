"""Makes a `{SCHEME}hash` of a password, as `doveadm pw` does. The command line uses it."""

from __future__ import annotations

from workers.passwords.encoding import encode
from workers.passwords.policy import Dialect
from workers.passwords.scheme import NewPassword
from workers.passwords.schemes import find_scheme
from workers.passwords.verdict import SchemeError


def generate(scheme: str, plain: bytes, username: bytes = b"", rounds: int = 0) -> bytes:
    """Return `{SCHEME}hash`.

    Args:
        scheme: name of any case, perhaps with `.hex`, `.b64` or `.base64`.
        plain: the password.
        username: DIGEST-MD5 hashes it too.
        rounds: cost in the scheme's own unit (bcrypt: its log2), 0 for Dovecot's default. Too few are raised to the
            scheme's least, as in Dovecot; schemes without a cost ignore it.

    Raises:
        SchemeError: unknown scheme, no user name for DIGEST-MD5, or a password that the scheme cannot hold.
        CostError: more rounds than we would verify.
    """
    name = scheme.encode(errors="surrogateescape").upper()
    found = find_scheme(name, Dialect.EITHER)
    if found is None:
        raise SchemeError(f"Unknown scheme: {name.decode(errors='backslashreplace')}")
    # Dovecot would silently hash what stands before the NUL.
    if b"\0" in plain or b"\0" in username:
        raise SchemeError("a password or user name with a NUL cannot be checked later")
    raw = found.scheme.generate(NewPassword(plain, username, rounds))
    return b"{%s}%s" % (name, encode(raw, found.explicit or found.scheme.encoding))
