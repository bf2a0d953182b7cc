"""Checks a password against one that a passdb lookup returned: same schemes, but Dovecot's own texts for the log.

The auth entry points use it after `auth_passdb_lookup`. `check` is for `request:password_verify`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from workers.passwords.check import split_scheme, verify
from workers.passwords.policy import Dialect, Origin, default_scheme
from workers.passwords.verdict import Verdict, Verification

_NO_PASSWORD: Final = Verification(Verdict.MISMATCH, b"No password returned (and no nopassword)")

#: These are errors of the database to Dovecot, and 2.4 answers the client with `code=temp_fail`.
_PREFIXED: Final = frozenset({Verdict.MALFORMED, Verdict.WEAK_REFUSED, Verdict.NOT_COMPUTED})
_TEMPORARY: Final = _PREFIXED | {Verdict.UNDECODABLE}


def verify_returned(
    stored: bytes, plain: bytes, *, username: bytes, dialect: Dialect, allow_weak: bool, scheme: str = ""
) -> Verification:
    """Check what the client typed against the password that a script returned.

    Args:
        stored: the returned `password`.
        plain: what was typed.
        username: as the client typed it.
        dialect: whose rules hold.
        allow_weak: see `policy.allows_weak`.
        scheme: the default scheme that is configured; empty for the dialect's own.

    Mirrors: an empty password, with or without a prefix, never matches here, while `{PLAIN}` with nothing typed is a
    match for `password_verify`.
    """
    if not split_scheme(stored).data:
        return _NO_PASSWORD
    scheme = scheme or default_scheme(dialect, Origin.PASSDB_LOOKUP)
    done = verify(stored, plain, username=username, dialect=dialect, default_scheme=scheme, allow_weak=allow_weak)
    if done.verdict in _PREFIXED:
        return replace(done, error=b"Invalid password in passdb: " + done.error)
    return done


def is_temporary(verification: Verification, dialect: Dialect) -> bool:
    """Return whether the client is told of a temporary failure (`code=temp_fail`) instead of a wrong password."""
    # A hash that nobody computed is never a wrong password.
    if verification.verdict is Verdict.NOT_COMPUTED:
        return True
    return dialect is Dialect.V2_4 and verification.verdict in _TEMPORARY
