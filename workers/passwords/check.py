"""Checks a password against a stored `{SCHEME}hash`, as `request:password_verify` of Dovecot does.

The auth request object and the command line use it; `lookup` builds on it. May take seconds and holds the interpreter
for moments only, so it runs on a thread, never on the engine's. Texts follow Dovecot's to the letter.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from workers.passwords.encoding import decode
from workers.passwords.policy import Dialect
from workers.passwords.scheme import Attempt, cut_at_nul
from workers.passwords.schemes import FoundScheme, find_scheme
from workers.passwords.verdict import (
    MISMATCH_TEXT,
    MalformedError,
    NotComputedError,
    UndecodableError,
    Verdict,
    Verification,
    WeakRefusedError,
)

#: `$1$salt$hash`, whatever follows a further `$` is not part of it.
_MD5_CRYPT: Final = re.compile(rb"\$1\$[^$]*\$[^$]*")

_PREFIX: Final = re.compile(rb"\{([^}]*)\}(.*)", re.DOTALL)

#: What `blocking_verify` says instead of raising.
_INTERNAL_ERROR: Final = b"Password check failed: internal error"


class SplitPassword(NamedTuple):
    """A stored password, taken apart."""

    #: As it was written, with its suffix; None if there was none.
    scheme: bytes | None
    data: bytes


def split_scheme(stored: bytes) -> SplitPassword:
    """Take `{SCHEME}data` apart; a `$1$` hash needs no prefix. Ends at the first NUL."""
    text = cut_at_nul(stored)
    md5_crypt = _MD5_CRYPT.match(text)
    if md5_crypt:
        return SplitPassword(b"MD5-CRYPT", md5_crypt.group())
    prefix = _PREFIX.fullmatch(text)
    return SplitPassword(prefix[1], prefix[2]) if prefix else SplitPassword(None, text)


def verify(
    stored: bytes,
    plain: bytes,
    *,
    username: bytes = b"",
    dialect: Dialect = Dialect.EITHER,
    default_scheme: str,
    allow_weak: bool,
) -> Verification:
    """Check a password. Never raises for anything that is stored or typed.

    Args:
        stored: `{SCHEME}data`, or data of the default scheme.
        plain: what was typed.
        username: as the client typed it; DIGEST-MD5 needs it.
        dialect: whose schemes exist.
        default_scheme: see `policy.default_scheme`.
        allow_weak: see `policy.allows_weak`.

    Mirrors: password_decode and password_verify of `src/auth/password-scheme.c`. The order is theirs: unknown scheme,
    data that does not decode, weak scheme, data that is not of the scheme's form, comparison.
    """
    decoded = _decode(stored, dialect, default_scheme)
    if isinstance(decoded, Verification):
        return decoded
    found, data = decoded
    attempt = Attempt(cut_at_nul(plain), data, cut_at_nul(username), allow_weak)
    return _verify_decoded(found, attempt)


def decoding_error(stored: bytes, *, dialect: Dialect, default_scheme: str) -> bytes:
    """Return what keeps a stored password from being decoded, empty if nothing does; arguments as of `verify`."""
    decoded = _decode(stored, dialect, default_scheme)
    return decoded.error if isinstance(decoded, Verification) else b""


def _decode(stored: bytes, dialect: Dialect, default_scheme: str) -> tuple[FoundScheme, bytes] | Verification:
    split = split_scheme(stored)
    name = default_scheme.encode() if split.scheme is None else split.scheme
    found = find_scheme(name, dialect)
    if found is None:
        return Verification(Verdict.UNKNOWN_SCHEME, b"Unknown scheme " + name)
    try:
        return found, decode(split.data, found.scheme, found.explicit)
    except UndecodableError as exc:
        text = b"Password data is not valid for scheme %s: %s" % (name, str(exc).encode())
        return Verification(Verdict.UNDECODABLE, text)


def _verify_decoded(found: FoundScheme, attempt: Attempt) -> Verification:
    scheme = found.scheme
    if scheme.is_weak and not attempt.is_weak_allowed:
        text = b"Weak password scheme '%s' used and refused (Set auth_allow_weak_schemes=yes to allow)" % scheme.name
        return Verification(Verdict.WEAK_REFUSED, text)
    try:
        is_match = scheme.verify(attempt)
    except WeakRefusedError as exc:
        return Verification(Verdict.WEAK_REFUSED, str(exc).encode())
    except NotComputedError as exc:
        return Verification(Verdict.NOT_COMPUTED, str(exc).encode())
    except MalformedError as exc:
        return Verification(Verdict.MALFORMED, str(exc).encode())
    return Verification(Verdict.MATCH) if is_match else Verification(Verdict.MISMATCH, MISMATCH_TEXT)


def blocking_verify(
    stored: bytes,
    plain: bytes,
    username: bytes,
    dialect: bytes,
    default_scheme: bytes,
    allow_weak: bool,  # noqa: FBT001
) -> tuple[float, bytes | None]:
    """Do the same with plain values in and out, for an operation of the engine that runs on a thread; never raises.

    Returns:
        What Lua gets: 1.0, 0.0 or -1.0, and the text or None.
    """
    try:
        done = verify(
            stored,
            plain,
            username=username,
            dialect=Dialect(dialect.decode()),
            default_scheme=default_scheme.decode(),
            allow_weak=allow_weak,
        )
    except Exception:  # noqa: BLE001 - a reply is made of it; the text of an unforeseen error might hold the password
        return -1.0, _INTERNAL_ERROR
    return float(done.result), done.error or None
